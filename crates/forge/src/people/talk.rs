//! Comments, reactions and the buttons of check runs.

use crate::forge::{Forge, blocking};
use crate::git::commit;
use crate::id::{AccountId, CheckRunId, CheckSuiteId, CommentId};
use crate::name::Sha;
use crate::people::{Refused, account, refuse_archived, repository, writer};
use crate::rest::comment;
use crate::state::check_run::{CheckRun, Status};
use crate::state::comment::{Comment, Subject};
use crate::webhook::event::{self, RunAction};

impl Forge {
    /// Comments on a pull request.
    ///
    /// # Errors
    /// When the person or the pull request is missing.
    pub fn comment_on_pull(
        &self,
        name: &str,
        number: u64,
        login: &str,
        body: &str,
    ) -> Result<CommentId, Refused> {
        let mut state = self.shared.lock();
        let author = account(&state, login)?;
        let record = repository(&state, name)?;
        refuse_archived(record)?;
        let id = record.id;
        if !state.pulls.contains_key(&(id, number)) {
            return Err(Refused::missing("pull request", number));
        }
        let subject = Subject::Pull(number);
        Ok(comment::write(
            &self.shared,
            &mut state,
            id,
            subject,
            author,
            body.to_owned(),
        ))
    }

    /// Comments on a commit.
    ///
    /// # Errors
    /// When the person or the commit is missing, or git fails.
    pub async fn comment_on_commit(
        &self,
        name: &str,
        sha: &Sha,
        login: &str,
        body: &str,
    ) -> Result<CommentId, Refused> {
        let path = self.repository_path(name)?;
        let asked = sha.to_string();
        if blocking(move || commit::find(&path, &asked))
            .await?
            .is_none()
        {
            return Err(Refused::missing("commit", sha));
        }
        let mut state = self.shared.lock();
        let author = account(&state, login)?;
        let record = repository(&state, name)?;
        refuse_archived(record)?;
        let id = record.id;
        let subject = Subject::Commit {
            sha: sha.clone(),
            path: None,
            position: None,
        };
        Ok(comment::write(
            &self.shared,
            &mut state,
            id,
            subject,
            author,
            body.to_owned(),
        ))
    }

    /// A comment with its reactions. That its number is the number of another kind of comment too
    /// is likely.
    #[must_use]
    pub fn find_comment(&self, id: CommentId) -> Option<Comment> {
        self.shared.lock().comments.get(&id).cloned()
    }

    /// All comments of a repository, oldest first.
    #[must_use]
    pub fn comments(&self, name: &str) -> Vec<Comment> {
        let state = self.shared.lock();
        let Ok(repository) = repository(&state, name) else {
            return Vec::new();
        };
        let here = |comment: &&Comment| comment.repository == repository.id;
        let mut comments: Vec<_> = state.comments.values().filter(here).cloned().collect();
        // The table has one kind after the other.
        comments.sort_by_key(|comment| comment.created_at);
        comments
    }

    /// All check runs of a repository, oldest first.
    #[must_use]
    pub fn check_runs(&self, name: &str) -> Vec<CheckRun> {
        let state = self.shared.lock();
        let Ok(repository) = repository(&state, name) else {
            return Vec::new();
        };
        let here = |run: &&CheckRun| run.repository == repository.id;
        state.check_runs.values().filter(here).cloned().collect()
    }

    /// The check runs of a commit, oldest first, all attempts.
    #[must_use]
    pub fn check_runs_on(&self, name: &str, sha: &Sha) -> Vec<CheckRun> {
        let state = self.shared.lock();
        let Ok(repository) = repository(&state, name) else {
            return Vec::new();
        };
        let mut runs: Vec<_> = state.runs_on(repository.id, sha).cloned().collect();
        runs.reverse();
        runs
    }

    /// Presses "Re-run" on a check run.
    ///
    /// # Errors
    /// When something is missing, the person may not write, or the run is not completed.
    pub fn rerun(&self, id: CheckRunId, login: &str) -> Result<(), Refused> {
        let person = self.presser(id, login)?;
        self.rerun_as(id, person)
    }

    /// Presses "Re-run" as an account whose right to do so is known.
    pub(crate) fn rerun_as(&self, id: CheckRunId, person: AccountId) -> Result<(), Refused> {
        self.press(id, person, &RunAction::Rerequested)
    }

    /// Presses a check run's own button.
    ///
    /// # Errors
    /// When something is missing, the person may not write, the run is not completed or has no
    /// such button.
    pub fn request_action(
        &self,
        id: CheckRunId,
        login: &str,
        identifier: &str,
    ) -> Result<(), Refused> {
        let person = self.presser(id, login)?;
        let has = self.shared.lock().check_runs.get(&id).is_some_and(|run| {
            run.actions
                .iter()
                .any(|action| action.identifier == identifier)
        });
        if !has {
            return Err(Refused::missing("button", identifier));
        }
        let action = RunAction::Requested {
            identifier: identifier.to_owned(),
        };
        self.press(id, person, &action)
    }

    /// The account of a person who may press the buttons of a check run.
    fn presser(&self, id: CheckRunId, login: &str) -> Result<AccountId, Refused> {
        let state = self.shared.lock();
        let person = account(&state, login)?;
        let run = state
            .check_runs
            .get(&id)
            .ok_or_else(|| Refused::missing("check run", id))?;
        writer(&state, state.repository(run.repository), person, login)?;
        Ok(person)
    }

    fn press(&self, id: CheckRunId, person: AccountId, action: &RunAction) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let run = state
            .check_runs
            .get(&id)
            .ok_or_else(|| Refused::missing("check run", id))?;
        match run.status {
            Status::Completed { .. } => {}
            Status::Queued | Status::InProgress => {
                let problem = format!("check run {id} is not completed and has no buttons");
                return Err(Refused::State(problem));
            }
        }
        event::check_run(&self.shared, &mut state, id, person, action);
        Ok(())
    }

    /// Presses "Re-run all" on a commit's check suite.
    ///
    /// # Errors
    /// When something is missing, the person may not write, or git fails.
    pub async fn rerun_suite(&self, id: CheckSuiteId, login: &str) -> Result<(), Refused> {
        let person = {
            let state = self.shared.lock();
            let person = account(&state, login)?;
            let suite = state
                .suites
                .get(&id)
                .ok_or_else(|| Refused::missing("check suite", id))?;
            writer(&state, state.repository(suite.repository), person, login)?;
            person
        };
        self.rerun_suite_as(id, person).await
    }

    /// Presses "Re-run all" as an account whose right to do so is known.
    pub(crate) async fn rerun_suite_as(
        &self,
        id: CheckSuiteId,
        person: AccountId,
    ) -> Result<(), Refused> {
        let (path, sha) = {
            let state = self.shared.lock();
            let suite = state
                .suites
                .get(&id)
                .ok_or_else(|| Refused::missing("check suite", id))?;
            let repository = state.repository(suite.repository);
            (repository.path.clone(), suite.head_sha.clone())
        };
        let asked = sha.clone();
        let head = blocking(move || commit::read(&path, &asked))
            .await?
            .ok_or_else(|| Refused::missing("commit", sha))?;
        let mut state = self.shared.lock();
        event::check_suite(&self.shared, &mut state, id, person, "rerequested", &head);
        Ok(())
    }
}
