//! How databases of older versions of summit become current.

use api::id::CommitSha;
use moss_db::{Error, RwTxn, Upgrade};

/// Version 0 knew no claims on names, and kept builds that wait for a person among those under way.
/// Branches are looked at anew, which claims the names of all their recipes and builds what the
/// channel lacks; indexes follow by themselves.
pub(super) fn look_at_branches_anew(txn: &mut RwTxn<'_>, upgrade: &Upgrade) -> Result<(), Error> {
    let planned = upgrade.table::<(u64, String), CommitSha>("planned")?;
    let rows = planned.iter(txn)?.collect::<Result<Vec<_>, Error>>()?;
    for (key, _) in rows {
        if key.1.starts_with("refs/heads/") {
            planned.delete(txn, &key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use api::id::BuildId;
    use moss_db::{Environment, Index, Indexed, Migration, Opener, Options, Schema, Table, Text};
    use serde_json::Value;

    use super::*;
    use crate::db::Tables;
    use crate::domain::build::example::id;
    use crate::domain::name::RepositoryId;

    /// The tables of version 0 that matter here, with the rule that their index had.
    struct Old {
        builds: Indexed<Text<BuildId>, Value>,
        active: Index<u8, Text<BuildId>>,
        planned: Table<(u64, String), CommitSha>,
    }

    impl Schema for Old {
        const NAME: &'static str = "summit";
        const MIGRATIONS: &'static [Migration] = &[];

        fn declare(opener: &mut Opener) -> Self {
            let mut builds = opener.indexed("builds");
            let active = builds.index("builds_active", |_, build: &Value| {
                let is_final = build["state"]["state"] == "failed";
                (!is_final).then_some(0).into_iter().collect()
            });
            Self {
                builds: builds.finish(),
                active,
                planned: opener.table("planned"),
            }
        }
    }

    /// A build as version 0 wrote it, for a pull request of one who may not write.
    const HELD: &str = include_str!("migration/held.json");

    #[test]
    fn a_database_of_version_0_becomes_current() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::create_dir(&path).unwrap();
        let key = |name: &str| (1, name.to_owned());
        {
            let (env, old) = Environment::open::<Old>(&path, &Options::default()).unwrap();
            let held: Value = serde_json::from_str(HELD).unwrap();
            let wrote = env.write(|txn| {
                old.builds.put(txn, &id(1), &held)?;
                for name in ["refs/heads/main", "refs/pull/7/head"] {
                    let commit = CommitSha::from_bytes([1; 20]);
                    old.planned.put(txn, &key(name), &commit)?;
                }
                Ok::<_, Error>(old.builds.find_by(txn, &old.active, &0)?.count())
            });
            assert_eq!(wrote.unwrap(), 1);
        }
        let (env, tables) = Tables::open(folder.path()).unwrap();
        let found = env.read(|txn| {
            assert_eq!(tables.builds.check(txn)?, []);
            assert_eq!(tables.active_builds(txn)?, []);
            let planned = tables.planned.iter(txn)?.keys();
            let planned = planned.collect::<Result<Vec<_>, Error>>()?;
            assert_eq!(planned, [key("refs/pull/7/head")]);
            tables.builds_set_aside(txn, RepositoryId::new(1))
        });
        let found = found.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, id(1));
        assert!(found[0].waits_for_person());
    }
}
