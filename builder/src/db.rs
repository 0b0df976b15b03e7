//! What the database keeps of an attempt.

use api::attempt::{Attempt, Network, Order, State};
use api::id::{AttemptId, BuildId, Sha256};
use jiff::Timestamp;
use moss_db::{Error, Key, KeyError, Migration, Opener, Reader, RoTxn, RwTxn, Schema, Table};
use serde::{Deserialize, Serialize};

/// An attempt and its order, but for the credentials.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The order, with no credentials in it.
    order: Order,
    /// The digest of the order without its credentials, which tells a repeated order from another.
    digest: Sha256,
    /// Where it stands.
    pub attempt: Attempt,
    /// When its assets were released, if they were.
    pub released_at: Option<Timestamp>,
}

/// avalanche's tables.
#[derive(Debug, Clone)]
pub struct Tables {
    attempts: Table<AttemptKey, Record>,
}

impl Schema for Tables {
    const NAME: &'static str = "avalanche";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            attempts: opener.table("attempts"),
        }
    }
}

/// An attempt's id as a key: its build's sixteen bytes, then its number.
#[derive(Debug)]
struct AttemptKey;

impl Key for AttemptKey {
    type Item = AttemptId;

    fn encode(item: &AttemptId, out: &mut Vec<u8>) {
        <[u8; 16]>::encode(item.build().as_bytes(), out);
        u32::encode(&item.number(), out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<AttemptId, KeyError> {
        let build = BuildId::from_bytes(<[u8; 16]>::decode(input)?);
        Ok(AttemptId::new(build, u32::decode(input)?))
    }
}

impl Record {
    /// The record of an order just taken.
    pub fn new(id: AttemptId, order: &Order, now: Timestamp) -> Self {
        let order = Order {
            credentials: None,
            ..order.clone()
        };
        let digest = digest(&order);
        let attempt = Attempt {
            network: Network::Loopback,
            id,
            seq: 1,
            accepted_at: now,
            state: State::Accepted { ahead: 0 },
        };
        Self {
            order,
            digest,
            attempt,
            released_at: None,
        }
    }

    /// Whether `other` was made from the same order; credentials may differ, as they end.
    pub fn is_same_order(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// The order, without credentials.
    pub fn order(&self) -> &Order {
        &self.order
    }
}

fn digest(order: &Order) -> Sha256 {
    // Writing these plain types as JSON cannot fail; were it to, the orders would look alike only
    // if they fail alike.
    Sha256::of(&serde_json::to_vec(order).unwrap_or_default())
}

impl Tables {
    /// The record of an attempt.
    pub fn find(&self, txn: &RoTxn<'_>, id: &AttemptId) -> Result<Option<Record>, Error> {
        self.attempts.find(txn, id)
    }

    /// Writes `record` over the one that is there.
    pub fn put(&self, txn: &mut RwTxn<'_>, record: &Record) -> Result<(), Error> {
        self.attempts.put(txn, &record.attempt.id, record)
    }

    /// Deletes the record of an attempt.
    pub fn delete(&self, txn: &mut RwTxn<'_>, id: &AttemptId) -> Result<bool, Error> {
        self.attempts.delete(txn, id)
    }

    /// All records.
    pub fn all(&self, txn: &RoTxn<'_>) -> Result<Vec<Record>, Error> {
        self.attempts
            .iter(txn)?
            .map(|row| row.map(|(_, record)| record))
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use api::attempt::{Credentials, Limits};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn order() -> Order {
        Order {
            recipe: "tool".parse().unwrap(),
            folder: ".".parse().unwrap(),
            clone_url: "http://127.0.0.1:1/o/r.git".parse().unwrap(),
            credentials: Some(Credentials {
                token: "s3cret-token".to_owned().into(),
            }),
            git_ref: "refs/heads/main".to_owned(),
            commit: "0123456789012345678901234567890123456789".parse().unwrap(),
            profile: "default".parse().unwrap(),
            architecture: "x86_64".parse().unwrap(),
            build_release: 1,
            source_date_epoch: 1_700_000_000,
            closure: Vec::new(),
            host_needs: Vec::new(),
            limits: Limits::default(),
            lease_seconds: 60,
            report_to: None,
        }
    }

    #[test]
    fn the_token_is_not_kept_and_does_not_make_another_order() {
        let id = AttemptId::new(BuildId::from_bytes([7; 16]), 2);
        let record = Record::new(id, &order(), Timestamp::UNIX_EPOCH);
        let stored = serde_json::to_string(&record).unwrap();
        assert!(!stored.contains("s3cret") && !format!("{record:?}").contains("s3cret"));
        let mut again = order();
        again.credentials = Some(Credentials {
            token: "another".to_owned().into(),
        });
        assert!(record.is_same_order(&Record::new(id, &again, Timestamp::UNIX_EPOCH)));
        again.build_release = 2;
        assert!(!record.is_same_order(&Record::new(id, &again, Timestamp::UNIX_EPOCH)));
    }

    proptest! {
        #[test]
        fn keys_read_back(build in any::<[u8; 16]>(), number in any::<u32>()) {
            let folder = tempfile::tempdir().unwrap();
            let (env, tables) =
                moss_db::Environment::open::<Tables>(folder.path(), &moss_db::Options {
                    map_size: 1 << 24,
                    ..moss_db::Options::default()
                }).unwrap();
            let id = AttemptId::new(BuildId::from_bytes(build), number);
            let record = Record::new(id, &order(), Timestamp::UNIX_EPOCH);
            env.write(|txn| tables.put(txn, &record)).unwrap();
            let found = env.read(|txn| tables.find(txn, &id)).unwrap().unwrap();
            prop_assert_eq!(found.attempt, record.attempt);
        }
    }
}
