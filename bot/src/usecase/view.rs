//! What pages and the API show: the one way in which they read.

use api::id::BuildId;
use moss_db::{Error, RoTxn};

use super::Summit;
use crate::db::{Look, Page, Tables};
use crate::domain::build::Build;
use crate::domain::head::HeadId;
use crate::domain::name::RepositoryName;

pub use crate::db::Filter;

/// A build with what its page shows beside it.
#[derive(Debug)]
pub struct BuildView {
    /// The build.
    pub build: Build,
    /// The name of its repository, where that is known still.
    pub repository: Option<RepositoryName>,
    /// The builds that it comes after.
    pub before: Vec<Build>,
}

/// A page of a list.
#[derive(Debug)]
pub struct ListView {
    /// The builds with the names of their repositories, the newest first.
    pub rows: Vec<(Build, Option<RepositoryName>)>,
    /// Before which build the next page begins; none at the end.
    pub next: Option<BuildId>,
}

/// Targets that are to be looked at again, because the last look failed or did not come back.
#[derive(Debug)]
pub struct WaitingView {
    /// Some of them, with the names of their repositories.
    pub rows: Vec<(Look, Option<RepositoryName>)>,
    /// How many more there are.
    pub more: usize,
}

/// How much is open.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Targets to be looked at.
    pub looks: u64,
    /// Commands without an answer.
    pub commands: u64,
    /// Buttons that are not acted on.
    pub presses: u64,
    /// Effects that are not done.
    pub effects: u64,
    /// Heads that GitHub does not show as they are.
    pub heads: Vec<HeadId>,
    /// Deliveries that could not be read.
    pub unread_deliveries: u64,
}

impl Summit {
    /// A build.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_build(&self, id: BuildId) -> Result<Option<Build>, Error> {
        let tables = self.tables.clone();
        self.db.query(move |txn| tables.find_build(txn, id)).await
    }

    /// A build with what its page shows beside it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn view_build(&self, id: BuildId) -> Result<Option<BuildView>, Error> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let Some(build) = tables.find_build(txn, id)? else {
                    return Ok(None);
                };
                let before = build.after.iter();
                let before = before.filter_map(|id| tables.find_build(txn, *id).transpose());
                Ok(Some(BuildView {
                    before: before.collect::<Result<_, _>>()?,
                    repository: repository_of(&tables, txn, build.repository.number())?,
                    build,
                }))
            })
            .await
    }

    /// A page of builds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_builds(
        &self,
        filter: Filter,
        before: Option<BuildId>,
        most: usize,
    ) -> Result<ListView, Error> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let Page { builds, next } = tables.list(txn, &filter, before, most)?;
                let rows = builds.into_iter().map(|build| {
                    let repository = repository_of(&tables, txn, build.repository.number())?;
                    Ok((build, repository))
                });
                Ok(ListView {
                    rows: rows.collect::<Result<_, Error>>()?,
                    next,
                })
            })
            .await
    }

    /// The repository of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_repository(
        &self,
        name: RepositoryName,
    ) -> Result<Option<crate::domain::name::RepositoryId>, Error> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                for row in tables.repositories.iter(txn)? {
                    let (number, repository) = row?;
                    if repository.name == name {
                        return Ok(Some(crate::domain::name::RepositoryId::new(number)));
                    }
                }
                Ok(None)
            })
            .await
    }

    /// Targets that are to be looked at again, at most `most` of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn view_waiting(&self, most: usize) -> Result<WaitingView, Error> {
        let tables = self.tables.clone();
        self.db.query(move |txn| waiting(&tables, txn, most)).await
    }

    /// How much is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_open(&self) -> Result<Open, Error> {
        let tables = self.tables.clone();
        self.db.query(move |txn| count(&tables, txn)).await
    }
}

fn repository_of(
    tables: &Tables,
    txn: &RoTxn<'_>,
    number: u64,
) -> Result<Option<RepositoryName>, Error> {
    let repository = tables.repositories.find(txn, &number)?;
    Ok(repository.map(|repository| repository.name))
}

pub(crate) fn waiting(tables: &Tables, txn: &RoTxn<'_>, most: usize) -> Result<WaitingView, Error> {
    let (mut rows, mut more) = (Vec::new(), 0);
    for row in tables.looks.iter(txn)? {
        let (_, look) = row?;
        let does_not_come_back = look.unreturned >= Look::MAX_UNRETURNED;
        if look.failure.is_none() && !does_not_come_back {
            continue;
        }
        if rows.len() == most {
            more += 1;
            continue;
        }
        let repository = repository_of(tables, txn, look.repository.number())?;
        rows.push((look, repository));
    }
    Ok(WaitingView { rows, more })
}

fn count(tables: &Tables, txn: &RoTxn<'_>) -> Result<Open, Error> {
    Ok(Open {
        looks: tables.looks.len(txn)?,
        commands: tables.commands_open.iter(txn)?.count() as u64,
        presses: tables.presses.len(txn)?,
        effects: tables.outbox.len(txn)?,
        heads: tables.unshown_heads(txn)?,
        unread_deliveries: tables.bodies.len(txn)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::example::pull;
    use crate::domain::name::RepositoryId;

    #[test]
    fn what_is_open_is_counted() {
        let store = store();
        let count = || store.env.read(|txn| count(&store.tables, txn)).unwrap();
        assert_eq!(count(), Open::default());
        let repository = RepositoryId::new(1);
        let wished = store.write(|txn| store.tables.wish(txn, repository, &pull()));
        wished.unwrap();
        assert_eq!(count().looks, 1);
    }

    #[test]
    fn what_waits_is_counted_where_it_is_not_shown() {
        let store = store();
        let repository = RepositoryId::new(1);
        let failed = store.write(|txn| {
            for number in 1..=3 {
                let target = crate::domain::build::Target::Pull { number };
                store.tables.wish(txn, repository, &target)?;
                let key = crate::db::look_key(repository, &target);
                let look = store.tables.looks.find(txn, &key)?.unwrap();
                let now = crate::domain::build::example::at(0);
                store
                    .tables
                    .fail_look(txn, &look, "it broke".to_owned(), now)?;
            }
            store.tables.wish(txn, repository, &pull())
        });
        failed.unwrap();
        let shown = store
            .env
            .read(|txn| waiting(&store.tables, txn, 2))
            .unwrap();
        assert_eq!((shown.rows.len(), shown.more), (2, 1));
    }
}
