//! Lists of builds: filtered, newest first, in pages.

use api::id::{BuildId, RecipeName};
use moss_db::{Error, RoTxn};

use super::key::target_key;
use super::tables::Tables;
use crate::domain::build::{Build, Stage, Target};
use crate::domain::name::RepositoryId;

/// How many builds the search for one page reads. A filter with two conditions can skip many.
const MOST_LOOKED_AT: usize = 5_000;

/// The builds of a list: those that meet all conditions that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The state they are in.
    pub state: Option<Stage>,
    /// The recipe's name.
    pub recipe: Option<RecipeName>,
    /// The branch or pull request.
    pub target: Option<(RepositoryId, Target)>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The builds, newest first.
    pub builds: Vec<Build>,
    /// The cursor: the next page has the builds older than this one. None at the end of the list.
    pub next: Option<BuildId>,
}

impl Filter {
    fn takes(&self, build: &Build) -> bool {
        let is_of = |(repository, target): &(RepositoryId, Target)| {
            build.repository == *repository && build.target == *target
        };
        self.state.is_none_or(|stage| build.state.stage() == stage)
            && self
                .recipe
                .as_ref()
                .is_none_or(|name| build.recipe == *name)
            && self.target.as_ref().is_none_or(is_of)
    }
}

impl Tables {
    /// A page of at most `most` builds older than `before`; the first page without `before`. It
    /// skips rows that cannot be read; the status page lists them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list(
        &self,
        txn: &RoTxn<'_>,
        filter: &Filter,
        before: Option<BuildId>,
        most: usize,
    ) -> Result<Page, Error> {
        let mut page = Page {
            builds: Vec::new(),
            next: None,
        };
        let mut last = None;
        for (count, id) in self.ids(txn, filter, before)?.enumerate() {
            if page.builds.len() == most || count == MOST_LOOKED_AT {
                page.next = last;
                break;
            }
            let id = id?;
            last = Some(id);
            match self.find_build(txn, id) {
                Ok(build) => page
                    .builds
                    .extend(build.filter(|build| filter.takes(build))),
                Err(error) if error.is_of_a_row() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// The ids of builds from the best index for the filter, newest first.
    fn ids<'txn>(
        &self,
        txn: &'txn RoTxn<'_>,
        filter: &Filter,
        before: Option<BuildId>,
    ) -> Result<Box<dyn Iterator<Item = Result<BuildId, Error>> + 'txn>, Error> {
        let before = before.as_ref();
        if let Some(name) = &filter.recipe {
            let ids = self
                .builds_by_name
                .keys_before(txn, &name.to_string(), before)?;
            return Ok(Box::new(ids));
        }
        if let Some((repository, target)) = &filter.target {
            let key = target_key(*repository, target);
            return Ok(Box::new(
                self.builds_of_target.keys_before(txn, &key, before)?,
            ));
        }
        if let Some(stage) = filter.state {
            let key = stage.number();
            return Ok(Box::new(
                self.builds_by_stage.keys_before(txn, &key, before)?,
            ));
        }
        let rows = match before {
            Some(before) => self.standings.range_rev(txn, ..*before)?,
            None => self.standings.iter_rev(txn)?,
        };
        Ok(Box::new(rows.keys()))
    }
}
