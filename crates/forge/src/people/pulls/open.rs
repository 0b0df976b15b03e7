//! Opening a pull request.

use std::path::PathBuf;

use super::tips;
use crate::forge::{Forge, blocking};
use crate::git::merge;
use crate::id::PullId;
use crate::name::{Branch, Sha};
use crate::people::{Refused, account, repository};
use crate::pull::{self, NotOpened};
use crate::state::State as Tables;
use crate::state::pull::{Base, Computed, Head, Mergeability, PullRequest, State};
use crate::state::repository::Repository;

/// What [`Forge::open_pull`] needs.
#[derive(Debug, Clone, Copy)]
pub struct OpenPull<'text> {
    /// The repository to change, `owner/name`.
    pub repository: &'text str,
    /// Who opens it.
    pub author: &'text str,
    /// The branch it comes from: `branch`, or `owner:branch` for a fork.
    pub head: &'text str,
    /// The branch it goes to.
    pub base: &'text str,
    /// Its title.
    pub title: &'text str,
    /// Its description.
    pub body: Option<&'text str>,
    /// Whether it is a draft.
    pub draft: bool,
}

impl Forge {
    /// Opens a pull request and gives its number.
    ///
    /// # Errors
    /// When a repository, branch or person is missing, when there is no title or nothing to merge,
    /// when one from that branch to that base is open, or git fails.
    pub async fn open_pull(&self, open: OpenPull<'_>) -> Result<u64, Refused> {
        let shared = &self.shared;
        if open.title.trim().is_empty() {
            return Err(Refused::State("a pull request needs a title".to_owned()));
        }
        let (mut wanted, path) = {
            let state = shared.lock();
            let target = repository(&state, open.repository)?;
            let author = account(&state, open.author)?;
            let (source, branch) = find_source(&state, target, open.head)?;
            let now = shared.clock.now();
            let wanted = PullRequest {
                id: PullId::new(0),
                number: 0,
                repository: target.id,
                title: open.title.to_owned(),
                body: open.body.map(str::to_owned),
                author,
                draft: open.draft,
                head: Head {
                    repository: source.id,
                    branch,
                    sha: Sha::zero(),
                },
                base: Base::new(open.base.parse()?, Sha::zero()),
                state: State::Open,
                mergeable: Mergeability::Conflicting,
                computed: Computed::NotYet,
                created_at: now,
                updated_at: now,
            };
            (wanted, target.path.clone())
        };
        (wanted.head.sha, wanted.base.sha) = tips(&shared.lock(), &wanted)?;
        refuse_without_commits(path, &wanted).await?;
        let (head, source) = (wanted.head.branch.clone(), wanted.head.repository);
        let number = pull::open(shared, wanted).await?.map_err(|why| match why {
            NotOpened::Missing(branch) => Refused::missing("branch", branch),
            NotOpened::Second(number) => {
                let state = shared.lock();
                let owner = &state.account(state.repository(source).owner).login;
                Refused::State(format!(
                    "a pull request already exists for {owner}:{head}: it is #{number}"
                ))
            }
        })?;
        shared.changed();
        Ok(number)
    }
}

/// The repository and the branch that `branch` or `owner:branch` names, for a pull request to
/// `target`.
pub(crate) fn find_source<'state>(
    state: &'state Tables,
    target: &'state Repository,
    head: &str,
) -> Result<(&'state Repository, Branch), Refused> {
    let (source, branch) = match head.split_once(':') {
        None => (target, head),
        Some((owner, branch)) => {
            let name = format!("{owner}/{}", target.name);
            (repository(state, &name)?, branch)
        }
    };
    let network = |record: &Repository| record.parent.unwrap_or(record.id);
    if network(source) != network(target) {
        let name = state.full_name(source);
        return Err(Refused::State(format!(
            "{name} is no fork of the repository that the pull request goes to"
        )));
    }
    Ok((source, branch.parse()?))
}

/// Refuses a head that has nothing which its base lacks.
async fn refuse_without_commits(path: PathBuf, wanted: &PullRequest) -> Result<(), Refused> {
    let (tip, ancestor) = (wanted.base.sha.clone(), wanted.head.sha.clone());
    if blocking(move || merge::contains_known(&path, &tip, &ancestor)).await? {
        let (base, head): (&Branch, &Branch) = (&wanted.base.branch, &wanted.head.branch);
        return Err(Refused::State(format!(
            "no commits between {base} and {head}"
        )));
    }
    Ok(())
}
