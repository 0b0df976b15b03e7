//! Sets aside a build whose rows cannot be read: an operator's way out, while summit is stopped.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use api::id::BuildId;
use jiff::Timestamp;

use crate::config::{Config, ProfileError};
use crate::db::{Tables, Write};

/// Why a build was not set aside.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// The configured profiles contradict each other.
    #[error("cannot tell what is built for")]
    Profiles(#[from] ProfileError),
    /// The database cannot be opened.
    #[error("cannot open the database")]
    Open(#[from] moss_db::OpenError),
    /// Reading or writing the database failed.
    #[error("cannot change the database")]
    Database(#[from] moss_db::Error),
    /// The rows cannot be kept in files.
    #[error("cannot write {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The build is not broken.
    #[error("the build {0} can be read; summit takes `/cancel` to give it up")]
    Readable(BuildId),
    /// There is no such build.
    #[error("there is no build {0}")]
    Unknown(BuildId),
}

/// Moves the rows of a build that cannot be read from the database into files of a folder, and
/// returns the folder. The build then counts as failed; see [`Tables::set_aside`].
///
/// # Errors
/// When the build can be read, or does not exist, or a file or the database cannot be written. The
/// database is then unchanged.
pub fn set_aside(config: &Config, id: BuildId) -> Result<PathBuf, AsideError> {
    let profiles = config.profiles()?;
    let (db, tables) = Tables::open(&config.data, &profiles[0])?;
    let folder = config.data.join("set-aside").join(id.to_string());
    db.write(|txn| {
        match tables.find_build(txn, id) {
            Ok(Some(_)) => return Err(AsideError::Readable(id)),
            // A row can also be missing among readable ones.
            Ok(None) => {}
            Err(error) if error.is_of_a_row() => {}
            Err(error) => return Err(error.into()),
        }
        let rows = tables.set_aside(&mut Write::new(txn), id, Timestamp::now())?;
        if rows.is_empty() {
            return Err(AsideError::Unknown(id));
        }
        for (name, row) in rows {
            let path = folder.join(format!("{name}.json"));
            keep(&path, &row).map_err(|source| AsideError::File { path, source })?;
        }
        for folder in [&folder, &config.data.join("set-aside"), &config.data] {
            sync(folder).map_err(|source| AsideError::File {
                path: folder.clone(),
                source,
            })?;
        }
        Ok(())
    })?;
    Ok(folder)
}

/// Writes a row to the disk, before the database loses it.
fn keep(path: &Path, row: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    file.write_all(row)?;
    file.sync_all()
}

/// Makes the entries of a folder durable.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use moss_db::{Environment, Migration, Opener, Schema, Table, Text};

    use super::*;
    use crate::domain::build::example::{build, id, profile};
    use crate::domain::build::{By, Event, Hold, State};
    use crate::domain::schedule::decide;

    /// The tables of builds as somebody writes them who does not keep to their forms.
    struct Careless {
        plans: Table<Text<BuildId>, String>,
        standings: Table<Text<BuildId>, String>,
    }

    impl Schema for Careless {
        const NAME: &'static str = <Tables as Schema>::NAME;
        const MIGRATIONS: &'static [Migration] = <Tables as Schema>::MIGRATIONS;

        fn declare(opener: &mut Opener) -> Self {
            Self {
                plans: opener.table("plans"),
                standings: opener.table("standings"),
            }
        }
    }

    fn config(data: &Path) -> Config {
        let text = include_str!("../summit.example.toml");
        let mut config: Config = toml::from_str(text).unwrap();
        config.data = data.to_owned();
        config
    }

    /// A database with the build 1, whose state cannot be read, and the build 2 after it.
    fn broken(folder: &Path, breaks_plan: bool) {
        let mut follower = build(2, "app");
        follower.after = vec![id(1)];
        {
            let (db, tables) = Tables::open(folder, &profile()).unwrap();
            let wrote = db.write(|txn| {
                let mut txn = Write::new(txn);
                tables.put_build(&mut txn, &build(1, "lib"))?;
                tables.put_build(&mut txn, &follower)
            });
            wrote.unwrap();
        }
        let options = moss_db::Options::default();
        let (db, careless) = Environment::open::<Careless>(&folder.join("db"), &options).unwrap();
        let wrote = db.write(|txn| {
            if breaks_plan {
                careless.plans.put(txn, &id(1), &"broken".to_owned())?;
            }
            careless.standings.put(txn, &id(1), &"broken".to_owned())
        });
        wrote.unwrap();
    }

    #[test]
    fn only_what_cannot_be_read_is_set_aside_and_counts_as_failed() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        broken(folder.path(), false);
        let refused = |number| set_aside(&config, id(number)).unwrap_err();
        assert!(matches!(refused(2), AsideError::Readable(_)));
        assert!(matches!(refused(3), AsideError::Unknown(_)));
        let kept = set_aside(&config, id(1)).unwrap();
        let plan = std::fs::read_to_string(kept.join("plan.json")).unwrap();
        assert!(plan.contains("\"recipe\":\"lib\""), "{plan}");
        let standing = std::fs::read(kept.join("standing.json")).unwrap();
        assert_eq!(standing, b"\"broken\"");
        assert!(matches!(refused(1), AsideError::Readable(_)));

        let (db, tables) = Tables::open(folder.path(), &profile()).unwrap();
        assert_eq!(db.check().unwrap(), []);
        let found = db.read(|txn| {
            let (under_way, unreadable) = tables.builds_under_way(txn)?;
            assert_eq!((under_way.len(), unreadable.len()), (2, 0));
            Ok::<_, moss_db::Error>(under_way)
        });
        let [lib, app] = <[_; 2]>::try_from(found.unwrap()).unwrap();
        assert!(matches!(lib.state, State::Failed(_)), "{:?}", lib.state);
        assert_eq!(lib.why_no_rebuild(), None, "a person can have it rebuilt");
        assert!(!lib.is_shown(), "its check run is to say so");
        let decided = decide(&app, |id| (id == lib.id).then_some(&lib));
        let held = matches!(
            &decided,
            Some(Event::Held(Hold::Build { build, .. })) if *build == lib.id
        );
        assert!(held, "{decided:?}");
    }

    #[test]
    fn what_comes_after_a_build_without_a_plan_is_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        broken(folder.path(), true);
        set_aside(&config(folder.path()), id(1)).unwrap();
        let (db, tables) = Tables::open(folder.path(), &profile()).unwrap();
        assert_eq!(db.check().unwrap(), []);
        let app = db.read(|txn| tables.find_build(txn, id(2))).unwrap();
        let state = app.unwrap().state;
        let by_person = matches!(
            &state,
            State::Cancelled {
                by: By::Person { .. },
                ..
            }
        );
        assert!(by_person, "{state:?}");
    }
}
