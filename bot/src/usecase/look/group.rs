//! A look at a group of a merge queue.
//!
//! GitHub makes a temporary branch with the pull requests of the group merged into it, and merges
//! that very commit once its required check runs allow it. So the group is planned from its base
//! branch, as the push that follows will be, and nothing of it is published. People with write
//! access put pull requests into a queue, so it is trusted as its branch is.

use std::sync::Arc;

use super::commit::{done, give_up};
use super::{Error, Reach, Summit, find};
use crate::db::{Look, Repository, look_key};
use crate::domain::build::{By, Event, Target};

impl Summit {
    pub(super) async fn look_at_group(
        self: &Arc<Self>,
        look: &Look,
        repository: &Repository,
        name: &str,
    ) -> Result<(), Error> {
        let Some(base) = Target::base_of_group(name).map(str::to_owned) else {
            return self.looked(look.clone()).await;
        };
        let (git_ref, base_ref) = (look.target.git_ref(), format!("refs/heads/{base}"));
        let refs = vec![git_ref.clone(), base_ref.clone()];
        self.fetch(look, repository, refs).await?;
        let planned = self.find_planned(look).await?;
        let (row, reach) = (repository.clone(), Reach::of_branch(self.profiles.clone()));
        let found = self
            .read(look, repository, move |mirror| {
                let Some(head) = mirror.find_ref(&git_ref)? else {
                    return Ok(None);
                };
                if planned == Some(head) {
                    return Ok(Some((head, None)));
                }
                let tip = mirror.find_ref(&base_ref)?;
                let from = match tip {
                    Some(tip) => mirror.find_merge_base(tip, head)?,
                    None => None,
                };
                let mut found = find(mirror, &row, &git_ref, from, head, &reach)?;
                found.first = false;
                found.branch = Some(base);
                Ok(Some((head, Some(found))))
            })
            .await?;
        match found {
            None => self.close_group(look).await,
            Some((head, None)) => {
                self.keep_head(look, head).await?;
                self.looked(look.clone()).await
            }
            Some((_, Some(found))) => self.plan(look, found, planned, None).await,
        }
    }

    /// Cancels the builds of a group that was merged or taken apart.
    async fn close_group(self: &Arc<Self>, look: &Look) -> Result<(), Error> {
        let (tables, look, now) = (self.tables.clone(), look.clone(), self.clock.now());
        self.submit(move |txn| {
            for build in tables.builds_of(txn, look.repository, &look.target)? {
                give_up(&tables, txn, &build, Event::Cancelled(By::GroupGone), now)?;
            }
            tables.drop_head(txn, look.repository, &look.target)?;
            let key = look_key(look.repository, &look.target);
            tables.planned.delete(txn, &key)?;
            done(&tables, txn, &look)
        })
        .await
        .map_err(Error::Change)
    }
}
