//! The imports: who ordered what, and how far it is.

use api::id::{ChannelName, ImportId, ServiceName};
use api::import::{Import, Order, State};
use jiff::Timestamp;
use moss_db::{Error, RoTxn, RwTxn};
use serde::{Deserialize, Serialize};

use super::Tables;
use crate::domain::import::{Event, Hindrances, IllegalTransition, step};
use crate::domain::pool::Claims;

/// An import as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImportRecord {
    /// What was ordered.
    pub(crate) order: Order,
    /// Who ordered it.
    pub(crate) ordered_by: ServiceName,
    /// Grows with every change of `state`.
    pub(crate) seq: u64,
    /// When the order was taken.
    pub(crate) accepted_at: Timestamp,
    /// Where it stands in the row of all imports.
    pub(crate) arrival: u64,
    /// Where it stands.
    pub(crate) state: State,
    /// What stood in its way until now.
    #[serde(default)]
    pub(crate) hindrances: Option<Hindrances>,
}

/// The import into a channel that is to be worked on.
#[derive(Debug)]
pub(crate) enum Next {
    /// This one, now.
    Import(ImportId, Box<ImportRecord>),
    /// All that are open are hindered; the first is tried again then.
    At(Timestamp),
    /// None is open.
    Idle,
}

impl ImportRecord {
    /// What the API says of it.
    pub(crate) fn view(self, id: ImportId) -> Import {
        Import {
            id,
            seq: self.seq,
            accepted_at: self.accepted_at,
            state: self.state,
        }
    }
}

/// What became of an order that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is new.
    New(Box<ImportRecord>),
    /// It is the very one that was put before.
    Known(Box<ImportRecord>),
    /// The id belongs to an order that says something else.
    Conflict,
}

/// A change of an import that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStepped {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// There is no such import.
    #[error("there is no import {0}")]
    Unknown(ImportId),
    /// The change makes no sense.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
}

impl Tables {
    /// Takes an order, once: the same one under the same id changes nothing.
    pub(crate) fn accept(
        &self,
        txn: &mut RwTxn<'_>,
        id: ImportId,
        order: Order,
        ordered_by: ServiceName,
        now: Timestamp,
    ) -> Result<Accepted, Error> {
        if let Some(record) = self.imports.find(txn, &id)? {
            let same = record.order == order;
            return Ok(if same {
                Accepted::Known(Box::new(record))
            } else {
                Accepted::Conflict
            });
        }
        let ahead = self.open_imports(txn, &order.channel)?.len();
        let record = ImportRecord {
            state: State::Accepted {
                ahead: u32::try_from(ahead).unwrap_or(u32::MAX),
            },
            order,
            ordered_by,
            seq: 1,
            accepted_at: now,
            arrival: self.arrivals.next(txn)?,
            hindrances: None,
        };
        self.imports.put(txn, &id, &record)?;
        Ok(Accepted::New(Box::new(record)))
    }

    /// The import's record.
    pub(crate) fn find_import(
        &self,
        txn: &RoTxn<'_>,
        id: ImportId,
    ) -> Result<Option<ImportRecord>, Error> {
        self.imports.find(txn, &id)
    }

    /// What packages and imports of a channel say of its pool. Reads every import there ever was.
    pub(crate) fn claims(&self, txn: &RoTxn<'_>, channel: &ChannelName) -> Result<Claims, Error> {
        let mut claims = Claims::default();
        for package in self.packages(txn, channel)?.values() {
            claims.add_package(package);
        }
        for row in self.imports.iter(txn)? {
            let (_, record) = row?;
            if record.order.channel == *channel {
                claims.add_import(&record.order, &record.state);
            }
        }
        Ok(claims)
    }

    /// The imports into a channel that are not final, in the order in which they arrived.
    pub(crate) fn open_imports(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
    ) -> Result<Vec<ImportId>, Error> {
        self.open_imports
            .iter(txn)?
            .filter_map(|entry| match entry {
                Ok(((of, _), id)) => (of == *channel).then_some(Ok(id)),
                Err(error) => Some(Err(error)),
            })
            .collect()
    }

    /// The import into a channel whose turn it is: the first to arrive of those that nothing stands
    /// in the way of, else the one that has been due longest for another try. So however many are
    /// hindered, and however long each try takes, they hold up none of the others.
    pub(crate) fn find_next_import(
        &self,
        txn: &RoTxn<'_>,
        channel: &ChannelName,
        now: Timestamp,
    ) -> Result<Next, Error> {
        let mut hindered: Option<(Timestamp, ImportId, ImportRecord)> = None;
        for id in self.open_imports(txn, channel)? {
            let Some(record) = self.imports.find(txn, &id)? else {
                continue;
            };
            let State::Waiting { until, .. } = record.state else {
                return Ok(Next::Import(id, Box::new(record)));
            };
            if hindered.as_ref().is_none_or(|(first, ..)| until < *first) {
                hindered = Some((until, id, record));
            }
        }
        Ok(match hindered {
            None => Next::Idle,
            Some((until, ..)) if until > now => Next::At(until),
            Some((_, id, record)) => Next::Import(id, Box::new(record)),
        })
    }

    /// Moves an import by `event`; when that ends it, those behind it move up. Returns its state.
    pub(crate) fn step(
        &self,
        txn: &mut RwTxn<'_>,
        id: ImportId,
        event: Event,
        now: Timestamp,
    ) -> Result<State, NotStepped> {
        let mut record = self
            .imports
            .find(txn, &id)?
            .ok_or(NotStepped::Unknown(id))?;
        if let Event::Hindered { fault, .. } = &event {
            record.hindrances = Some(Hindrances::add(record.hindrances, *fault, now));
        }
        record.state = step(&record.state, event, now)?;
        record.seq += 1;
        self.imports.put(txn, &id, &record)?;
        if record.state.is_final() {
            for other in self.open_imports(txn, &record.order.channel)? {
                self.move_up(txn, other, record.arrival, now)?;
            }
        }
        Ok(record.state)
    }

    /// Moves an import up that waits for its turn behind the one that ended, which arrived as
    /// number `ended`. Those that were begun before count nobody.
    fn move_up(
        &self,
        txn: &mut RwTxn<'_>,
        id: ImportId,
        ended: u64,
        now: Timestamp,
    ) -> Result<(), NotStepped> {
        let mut record = self
            .imports
            .find(txn, &id)?
            .ok_or(NotStepped::Unknown(id))?;
        if record.arrival < ended || !matches!(record.state, State::Accepted { .. }) {
            return Ok(());
        }
        record.state = step(&record.state, Event::MovedUp, now)?;
        record.seq += 1;
        Ok(self.imports.put(txn, &id, &record)?)
    }
}
