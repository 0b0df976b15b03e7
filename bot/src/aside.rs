//! Sets aside a build whose rows cannot be read: an operator's way out, while summit is stopped.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use api::id::BuildId;

use crate::config::{Config, ProfileError};
use crate::db::Tables;

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
/// returns the folder. To all other builds it is then as if there had been no such build.
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
        let rows = tables.tear_out_build(txn, id)?;
        if rows.is_empty() {
            return Err(AsideError::Unknown(id));
        }
        for (table, row) in rows {
            let path = folder.join(format!("{table}.json"));
            keep(&folder, &path, &row).map_err(|source| AsideError::File { path, source })?;
        }
        Ok(())
    })?;
    Ok(folder)
}

/// Writes a row to the disk, before the database loses it.
fn keep(folder: &Path, path: &Path, row: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = File::create(path)?;
    file.write_all(row)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use moss_db::{Environment, Migration, Opener, Schema, Table, Text};

    use super::*;
    use crate::db::Write;
    use crate::domain::build::example::{build, id, profile};

    /// The table of states as somebody writes it who does not keep to its form.
    struct Careless(Table<Text<BuildId>, String>);

    impl Schema for Careless {
        const NAME: &'static str = <Tables as Schema>::NAME;
        const MIGRATIONS: &'static [Migration] = <Tables as Schema>::MIGRATIONS;

        fn declare(opener: &mut Opener) -> Self {
            Self(opener.table("standings"))
        }
    }

    fn config(data: &Path) -> Config {
        let text = include_str!("../summit.example.toml");
        let mut config: Config = toml::from_str(text).unwrap();
        config.data = data.to_owned();
        config
    }

    #[test]
    fn only_what_cannot_be_read_is_set_aside_and_all_others_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let (broken, mut follower) = (build(1, "lib"), build(2, "app"));
        follower.after = vec![broken.id];
        {
            let (db, tables) = Tables::open(folder.path(), &profile()).unwrap();
            let wrote = db.write(|txn| {
                let mut txn = Write::new(txn);
                tables.put_build(&mut txn, &broken)?;
                tables.put_build(&mut txn, &follower)
            });
            wrote.unwrap();
        }
        {
            let options = moss_db::Options::default();
            let path = folder.path().join("db");
            let (db, careless) = Environment::open::<Careless>(&path, &options).unwrap();
            let wrote = db.write(|txn| careless.0.put(txn, &broken.id, &"broken".to_owned()));
            wrote.unwrap();
        }
        {
            let (db, tables) = Tables::open(folder.path(), &profile()).unwrap();
            let (under_way, unreadable) = db.read(|txn| tables.builds_under_way(txn)).unwrap();
            assert_eq!((under_way.len(), unreadable.len()), (1, 1));
        }
        let refused = |number| set_aside(&config, id(number)).unwrap_err();
        assert!(matches!(refused(2), AsideError::Readable(_)));
        assert!(matches!(refused(3), AsideError::Unknown(_)));
        let kept = set_aside(&config, broken.id).unwrap();
        let plan = std::fs::read_to_string(kept.join("plan.json")).unwrap();
        assert!(plan.contains("\"recipe\":\"lib\""), "{plan}");
        assert_eq!(
            std::fs::read(kept.join("standing.json")).unwrap(),
            b"\"broken\""
        );
        let (db, tables) = Tables::open(folder.path(), &profile()).unwrap();
        assert_eq!(db.check().unwrap(), []);
        let (under_way, unreadable) = db.read(|txn| tables.builds_under_way(txn)).unwrap();
        assert_eq!((under_way, unreadable.len()), (vec![follower], 0));
    }
}
