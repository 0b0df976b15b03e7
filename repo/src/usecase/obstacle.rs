//! What stands in the way of a channel or an import, in words for those who wait for it.
//!
//! They are on other machines, so the words name no path and quote nothing but files that the
//! channel is known to have. The log has the whole of it.

use api::import::State;
use jiff::Timestamp;
use moss_db::Error as Database;
use moss_fetcher::Error as Fetch;

use super::Failure;
use crate::db::NotStepped;

/// Why nothing of a channel goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// What it is.
    pub(super) on: String,
    /// When it is tried again.
    pub(super) until: Timestamp,
}

impl Obstacle {
    /// What is said of an import that does not go on for this.
    pub(super) fn wait(self) -> State {
        State::Waiting {
            on: self.on,
            until: self.until,
        }
    }

    /// What is said of an import that the database has published, and that clients cannot see.
    pub(super) fn wait_to_be_seen(self) -> State {
        let on = &self.on;
        State::Waiting {
            on: format!("it is in the repository, but clients cannot see it yet: {on}"),
            until: self.until,
        }
    }
}

/// What a fault comes to, for those who wait.
pub(super) fn describe(failure: &Failure) -> String {
    match failure {
        Failure::Database(error) | Failure::Import(NotStepped::Database(error)) => database(error),
        Failure::Tree(error) => files(error.kind()),
        Failure::Fetch(error) => match &**error {
            Fetch::File { source, .. } => files(source.kind()),
            Fetch::Client(_)
            | Fetch::Failed { .. }
            | Fetch::Cancelled
            // Whatever else a fetcher may come to say is for whoever reads the log.
            | _ => "vessel cannot fetch stones; its log says why".to_owned(),
        },
        Failure::Index { architecture, .. } => {
            format!("vessel cannot make the index for {architecture}; its log says why")
        }
        Failure::Staged { file_name, .. } => {
            format!("vessel cannot read the stone {file_name} that it fetched; its log says why")
        }
        Failure::Pool { file_name, .. } => {
            format!("vessel cannot read the stone {file_name} in its pool; its log says why")
        }
        Failure::Import(NotStepped::Unknown(_) | NotStepped::Illegal(_))
        | Failure::Dangling(_)
        | Failure::NoHistory(_) => "vessel contradicts itself; its log says how".to_owned(),
        Failure::Ending => "vessel is shutting down".to_owned(),
    }
}

fn files(kind: std::io::ErrorKind) -> String {
    format!("vessel cannot work on its files: {kind}; its log says which")
}

fn database(error: &Database) -> String {
    match error {
        Database::MapFull => {
            "vessel's database is full: `database_gib` in its configuration must be raised"
        }
        Database::DiskFull => "the disk of vessel's database is full",
        Database::Closed => "vessel is shutting down",
        Database::Encode { .. }
        | Database::Decode { .. }
        | Database::Key { .. }
        | Database::KeyTooLong { .. }
        | Database::UnknownTable(_)
        | Database::Storage { .. }
        // Whatever else a database may come to say is for whoever reads the log.
        | _ => "vessel's database fails; its log says how",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn all() -> Vec<Failure> {
        vec![
            Failure::Database(Database::MapFull),
            Failure::Database(Database::DiskFull),
            Failure::Database(Database::UnknownTable("secret")),
            Failure::Import(NotStepped::Database(Database::MapFull)),
            Failure::Import(NotStepped::Unknown(api::id::ImportId::new())),
            Failure::Fetch(Box::new(Fetch::File {
                action: "write",
                path: "/secret".into(),
                source: io::ErrorKind::StorageFull.into(),
            })),
            Failure::Index {
                architecture: "x86_64".parse().unwrap(),
                source: Box::new(moss_format::index::WriteError::TooMany { count: 70_000 }),
            },
            Failure::Staged {
                file_name: "nano-8.3-33-1-x86_64.stone".to_owned(),
                reason: "secret".to_owned(),
            },
            Failure::Pool {
                file_name: "nano-8.3-33-1-x86_64.stone".to_owned(),
                reason: "secret".to_owned(),
            },
            Failure::NoHistory("main".parse().unwrap()),
            Failure::Ending,
        ]
    }

    #[test]
    fn faults_are_told_in_words_that_give_nothing_away() {
        let words: Vec<String> = all().iter().map(describe).collect();
        assert!(words.iter().all(|words| !words.contains("secret")));
        insta::assert_snapshot!(words.join("\n"));
    }
}
