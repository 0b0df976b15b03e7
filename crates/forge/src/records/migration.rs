//! Migrations of databases that older versions of the forge wrote.

use moss_db::{Error, RwTxn, Upgrade};
use serde_json::{Value, json};

use crate::id::{CommentId, CommentKind};

/// Version 0 numbered all comments together. Their numbers stay.
pub(super) fn number_comments_by_kind(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let old = upgrade.table::<u64, Value>("comments")?;
    let rows = old.iter(txn)?.collect::<Result<Vec<_>, Error>>()?;
    old.clear(txn)?;
    let new = upgrade.table::<CommentId, Value>("comments")?;
    for (number, mut row) in rows {
        let kind = match row["subject"].get("pull") {
            Some(_) => CommentKind::Issue,
            None => CommentKind::Commit,
        };
        let id = CommentId::new(kind, number);
        row["id"] = json!(id);
        new.put(txn, &id, &row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use moss_db::{Environment, Migration, Opener, Options, Schema, Table};

    use crate::id::{AccountId, CommentId, CommentKind, ReactionId};
    use crate::records::Records;
    use serde_json::{Value, json};

    /// The tables of version 0 that this test needs.
    struct Old {
        head: Table<u8, Value>,
        accounts: Table<u64, Value>,
        comments: Table<u64, Value>,
    }

    impl Schema for Old {
        const NAME: &'static str = "forge";
        const MIGRATIONS: &'static [Migration] = &[];

        fn declare(opener: &mut Opener) -> Self {
            Self {
                head: opener.table("head"),
                accounts: opener.table("accounts"),
                comments: opener.table("comments"),
            }
        }
    }

    fn comment(id: u64, subject: &Value) -> Value {
        let at = "2027-01-15T08:00:00Z";
        json!({
            "id": id, "repository": 10_003, "subject": subject, "author": 10_001,
            "body": "Hello", "created_at": at, "updated_at": at, "reactions": [],
        })
    }

    #[test]
    fn comments_keep_their_numbers_and_ids_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let (environment, old) = Environment::open::<Old>(&path, &Options::default()).unwrap();
        let at = "2027-01-15T08:00:00Z";
        let head = json!({ "last_id": 10_005, "bot": 10_001, "started_at": at });
        let bot = json!({
            "id": 10_001, "login": "summit[bot]", "kind": "bot", "created_at": at,
        });
        let on_pull = comment(10_004, &json!({ "pull": 1 }));
        let on = json!({ "commit": { "sha": "1".repeat(40), "path": null, "position": null } });
        let on_commit = comment(10_005, &on);
        let written = environment.write(|txn| {
            old.head.put(txn, &0, &head)?;
            old.accounts.put(txn, &10_001, &bot)?;
            old.comments.put(txn, &10_004, &on_pull)?;
            old.comments.put(txn, &10_005, &on_commit)
        });
        written.unwrap();
        drop(environment);

        let bot = "summit[bot]".parse().unwrap();
        let records = Records::open(folder.path(), bot, at.parse().unwrap()).unwrap();
        let mut state = records.lock();
        let keys: Vec<_> = state.comments.keys().copied().collect();
        let issue = |number| CommentId::new(CommentKind::Issue, number);
        let commit = |number| CommentId::new(CommentKind::Commit, number);
        assert_eq!(keys, [issue(10_004), commit(10_005)]);
        assert_eq!(state.comments[&issue(10_004)].id, issue(10_004));
        assert_eq!(state.next_comment(CommentKind::Issue), issue(10_006));
        assert_eq!(state.next_comment(CommentKind::Commit), commit(10_006));
        assert_eq!(state.next_id::<AccountId>().number(), 10_006);
        assert_eq!(state.next_id::<ReactionId>().number(), 10_006);
    }
}
