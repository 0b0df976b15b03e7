//! Repositories that the list lacks: summit asks for each, and lets go of those that are gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use moss_db::{Error as StorageError, RwTxn};
use service::error::Chain;

use crate::db::{Repository, Tables};
use crate::domain::missing::needs_word;
use crate::domain::name::{RepositoryId, RepositoryName};
use crate::github;
use crate::usecase::{Summit, look};

/// A repository that waits for an operator's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The repository.
    pub id: RepositoryId,
    /// Its last name.
    pub name: RepositoryName,
    /// When summit first found that it is gone.
    pub since: Timestamp,
}

/// Why repositories are not let go of.
#[derive(Debug, thiserror::Error)]
pub enum LetGoError {
    /// Nothing is known to be missing under this name.
    #[error("the repository {0} does not wait to be let go of")]
    NotMissing(String),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A repository cannot be let go of now.
    #[error("the repository {name} cannot be let go of now")]
    Look {
        /// The repository.
        name: RepositoryName,
        /// The cause.
        source: Box<look::Error>,
    },
}

impl Summit {
    /// Lets go of the repositories of `seen` that are gone. The list of those that were `found`
    /// proves nothing alone: it can shift while its pages are read. If many are gone at once, they
    /// wait for an operator's word.
    pub(super) async fn settle_absent(
        self: &Arc<Self>,
        seen: &[(RepositoryId, Repository)],
        found: &BTreeMap<RepositoryId, Repository>,
    ) -> Result<(), look::Error> {
        let (mut gone, mut there) = (Vec::new(), Vec::new());
        for (id, row) in seen {
            if found.contains_key(id) {
                there.push(*id);
                continue;
            }
            match self.app.is_gone(*id, row).await {
                Ok(true) => gone.push((*id, row.name.clone())),
                Ok(false) => {
                    tracing::warn!(repository.name = %row.name, "the list of repositories lacks one that is there");
                    there.push(*id);
                }
                Err(
                    error @ (github::Error::RateLimited { .. } | github::Error::Suspended { .. }),
                ) => return Err(error.into()),
                Err(error) => not_given_up(&row.name, &error),
            }
        }
        let (tables, now) = (self.tables.clone(), self.clock.now());
        let (ids, seen) = (gone.iter().map(|(id, _)| *id).collect(), seen.len());
        let noted = self
            .db
            .submit(move |txn| note_missing(&tables, txn, &there, &Gone { ids, seen }, now));
        if let Wait::ForWord { has_more } = noted.await? {
            if has_more {
                let names: Vec<String> = gone.iter().map(|(_, name)| name.to_string()).collect();
                let names = names.join(" ");
                tracing::error!(
                    "many repositories are gone at once; nothing of them is given up until an \
                     operator runs `summit let-go {names}`"
                );
            }
            return Ok(());
        }
        for (id, name) in gone {
            if let Err(error) = self.let_go(id).await {
                not_given_up(&name, &error);
            }
        }
        Ok(())
    }

    /// The repositories that wait for an operator's word.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn missing(&self) -> Result<Vec<Missing>, StorageError> {
        let tables = self.tables.clone();
        self.db
            .query(move |txn| {
                let mut missing = Vec::new();
                for row in tables.missing.iter(txn)? {
                    let (id, since) = row?;
                    if let Some(row) = tables.repositories.find(txn, &id)? {
                        let (id, name) = (RepositoryId::new(id), row.name);
                        missing.push(Missing { id, name, since });
                    }
                }
                Ok(missing)
            })
            .await
    }

    /// Lets go of repositories that wait for an operator's word: here it is.
    ///
    /// # Errors
    /// When a name is none of theirs, before anything is done, or when one cannot be let go of.
    pub async fn let_go_missing(self: &Arc<Self>, names: &[String]) -> Result<(), LetGoError> {
        let missing = self.missing().await?;
        let mut chosen = Vec::with_capacity(names.len());
        for name in names {
            let found = missing.iter().find(|known| known.name.to_string() == *name);
            chosen.push(found.ok_or_else(|| LetGoError::NotMissing(name.clone()))?);
        }
        for Missing { id, name, .. } in chosen {
            tracing::warn!(repository.name = %name, "an operator gives the repository up");
            let gone = self.let_go(*id).await;
            gone.map_err(|source| LetGoError::Look {
                name: name.clone(),
                source: Box::new(source),
            })?;
        }
        Ok(())
    }
}

/// The repositories that are gone, of so many that were there.
struct Gone {
    ids: Vec<RepositoryId>,
    seen: usize,
}

/// Whether those that are gone wait.
#[derive(Debug, PartialEq, Eq)]
enum Wait {
    No,
    ForWord {
        /// True when some did not wait before.
        has_more: bool,
    },
}

/// Notes which repositories wait for an operator's word. Those that are there do not any more.
fn note_missing(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    there: &[RepositoryId],
    gone: &Gone,
    now: Timestamp,
) -> Result<Wait, StorageError> {
    for id in there {
        tables.missing.delete(txn, &id.number())?;
    }
    let waiting = usize::try_from(tables.missing.len(txn)?).unwrap_or(usize::MAX);
    if !needs_word(gone.ids.len(), waiting, gone.seen) {
        return Ok(Wait::No);
    }
    let mut has_more = false;
    for id in &gone.ids {
        has_more |= tables.missing.put_new(txn, &id.number(), &now)?.is_none();
    }
    Ok(Wait::ForWord { has_more })
}

fn not_given_up(name: &RepositoryName, error: &(dyn std::error::Error + 'static)) {
    let error = Chain(error);
    tracing::warn!(repository.name = %name, %error, "a lost repository cannot be given up yet");
}

#[cfg(test)]
mod tests;
