//! The forge's records: the tables in memory, and the database that every change of them goes to.
//!
//! What is read is the memory. Whoever changes it does so under one lock, and when the lock is let go,
//! the rows that changed are handed to the [`Journal`] as one: they are in the database together or
//! not at all. So what belongs together (a comment and its webhook) is changed under one lock.
//!
//! Nothing leaves the process before it is in the database. Three places see to that by waiting for
//! [`Records::recorded`]: the answer to any HTTP request (`start`), the end of a
//! push's answer, and the sending of a webhook. What has an effect outside of the database, such as
//! removing a folder, waits too. A handle's methods do not: their caller is the same process, and
//! asks for `Forge::recorded` where it tells somebody else.

mod journal;
mod migration;
mod tables;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use moss_db::{Environment, OpenError, Options};
use thiserror::Error;

use self::journal::Journal;
use self::tables::{Changes, Tables};
use crate::name::Login;
use crate::state::State;

pub use self::journal::Unrecorded;

/// The records cannot be read.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// The database cannot be opened.
    #[error("cannot open the forge's records")]
    Open(#[from] OpenError),
    /// A row cannot be read.
    #[error("cannot read the forge's records")]
    Read(#[from] moss_db::Error),
    /// They cannot be written in the background.
    #[error("cannot start the thread that writes the forge's records")]
    Thread(#[source] std::io::Error),
}

/// Memory and database.
pub(crate) struct Records {
    state: Mutex<State>,
    journal: Journal,
}

impl Records {
    /// Opens the records below the folder `data`. There the database is made if there is none, with
    /// nothing but the App's bot in it.
    pub(crate) fn open(data: &Path, bot: Login, now: Timestamp) -> Result<Self, RecordsError> {
        Self::open_with(data, bot, now, &Options::default())
    }

    fn open_with(
        data: &Path,
        bot: Login,
        now: Timestamp,
        options: &Options,
    ) -> Result<Self, RecordsError> {
        let (environment, tables) = Environment::open::<Tables>(&data.join("db"), options)?;
        let found = environment.read(|txn| tables.load(txn))?;
        let state = match found {
            Some(mut state) => {
                state.complete(data, bot);
                state
            }
            None => State::new(bot, now),
        };
        let journal = Journal::start(environment, tables).map_err(RecordsError::Thread)?;
        let records = Self {
            state: Mutex::new(state),
            journal,
        };
        // What is new already: the bot, or its new name.
        drop(records.lock());
        Ok(records)
    }

    /// The tables in memory. Never held across an await or a git operation.
    pub(crate) fn lock(&self) -> Guard<'_> {
        Guard {
            may_be_half: false,
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            journal: &self.journal,
        }
    }

    /// Waits until all changes made so far are in the database.
    pub(crate) async fn recorded(&self) -> Result<(), Unrecorded> {
        self.journal.recorded().await
    }

    /// Returns once a panic has broken off a change or the writing. The forge has to stop then: a start
    /// reads the memory anew.
    pub(crate) async fn broken_off(&self) {
        self.journal.broken_off().await;
    }

    /// As [`Self::recorded`], and goes on waiting while they cannot be written.
    pub(crate) async fn recorded_at_last(&self) -> Result<(), Unrecorded> {
        self.journal.recorded_at_last().await
    }
}

/// The tables in memory, locked. What was changed is on its way to the database when it is dropped.
pub(crate) struct Guard<'records> {
    /// Whether a panic now could break off a change: something was written, or was to be.
    may_be_half: bool,
    state: MutexGuard<'records, State>,
    journal: &'records Journal,
}

impl Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.may_be_half = true;
        &mut self.state
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let is_panicking = std::thread::panicking();
        // Breaks the journal off when a change is half, and when a panic in here would leave it so.
        // Dropped before the lock, so that nobody sees the half.
        let _watch = (self.may_be_half || !is_panicking).then(|| self.journal.watch());
        if !is_panicking {
            // Under the lock, so that changes reach the database in the order in which they were made.
            self.journal.hand_over(Changes::take(&mut self.state));
        }
    }
}

#[cfg(test)]
mod tests;
