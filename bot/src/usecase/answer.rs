//! Runs commands of comments and answers them.
//!
//! The outcome is committed together with what the command begins; only then is it answered, and
//! the answer is repeated until GitHub has it. Who may command is asked when the command runs.

mod text;

use std::sync::Arc;

use api::id::CommitSha;
use jiff::Timestamp;
use moss_db::{Error as StorageError, RwTxn};
use service::error::Chain;

use super::rebuild::{self, Rebuilt};
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Command, CommandOutcome, Place, Repository, Tables};
use crate::domain::command::{self, Command as Asked};
use crate::github::{self, Authorised, Class};
use text::answer;

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.commands, "commands", || summit.run_commands()).await;
}

impl Summit {
    /// Runs and answers what is open.
    async fn run_commands(&self) -> Result<Round, StorageError> {
        let tables = self.tables.clone();
        let open: Vec<Command> = self
            .db
            .query(move |txn| {
                let open = tables.commands.find_by(txn, &tables.commands_open, &0)?;
                open.map(|row| Ok(row?.1))
                    .collect::<Result<_, StorageError>>()
            })
            .await?;
        let mut round = Round::Done;
        for row in open {
            let id = row.comment;
            if let Err(error) = self.run_command(row).await {
                tracing::warn!(comment.id = %id, error = %Chain(&error), "a command waits");
                round = Round::Later;
            }
        }
        Ok(round)
    }

    async fn run_command(&self, row: Command) -> Result<(), AskError> {
        let tables = self.tables.clone();
        let id = row.repository.number();
        let repository = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id))
            .await?;
        let Some(repository) = repository else {
            return Ok(self.answered(row).await?);
        };
        let row = match &row.outcome {
            Some(_) => row,
            None => match self.decide(row.clone(), &repository).await {
                Ok(row) => row,
                // Asked again, GitHub would refuse again; the author may well, with a new comment.
                Err(AskError::GitHub(error)) if error.is_permanent() => {
                    tracing::warn!(comment.id = %row.comment, %error, "a command is given up");
                    return Ok(self.answered(row).await?);
                }
                Err(error) => return Err(error),
            },
        };
        let answered = self.answer(&row, &repository).await;
        match answered {
            Ok(()) => {}
            // The comment is gone or locked; there is nobody to answer.
            Err(error) if error.is_permanent() || error.is_forbidden() => {
                tracing::warn!(comment.id = %row.comment, %error, "an answer is given up");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(self.answered(row).await?)
    }

    /// Finds out what a command comes to, and commits that with what it begins.
    async fn decide(&self, mut row: Command, repository: &Repository) -> Result<Command, AskError> {
        let asked = match command::parse(&row.text) {
            Some(Ok(asked)) => asked,
            Some(Err(misunderstood)) => {
                let reason = misunderstood.to_string();
                return self
                    .conclude(row, CommandOutcome::Misunderstood { reason })
                    .await;
            }
            None => {
                let reasons = Vec::new();
                return self
                    .conclude(row, CommandOutcome::Nothing { reasons })
                    .await;
            }
        };
        let role = self.app.find_role(repository, row.author).await?;
        let authorised = role.as_ref().and_then(|(_, role)| role.authorise(asked));
        let Some(authorised) = authorised else {
            let role = role.map_or_else(|| "none".to_owned(), |(_, role)| role.name().to_owned());
            return self.conclude(row, CommandOutcome::Refused { role }).await;
        };
        let head = match &row.place {
            Place::Commit { commit } => Some(*commit),
            Place::Pull { number } => self
                .app
                .find_pull(repository, *number)
                .await?
                .map(|pull| pull.head.sha),
        };
        let tables = self.tables.clone();
        let now = self.clock.now();
        let key = (row.repository.number(), row.comment.number());
        let row = self
            .db
            .submit(move |txn| {
                // Run before, by a process that was killed between this commit and its answer.
                if let Some(known) = tables
                    .commands
                    .find(txn, &key)?
                    .filter(|r| r.outcome.is_some())
                {
                    return Ok::<_, StorageError>(known);
                }
                let rebuilt = match head {
                    Some(head) => rebuild(&tables, txn, &row, &authorised, head, now)?,
                    None => Rebuilt::Nothing(Vec::new()),
                };
                row.outcome = Some(match rebuilt {
                    Rebuilt::Builds(builds) => CommandOutcome::Rebuilding { builds },
                    Rebuilt::Nothing(reasons) => {
                        let mut reasons: Vec<_> = reasons.into_iter().map(|(_, why)| why).collect();
                        reasons.sort();
                        reasons.dedup();
                        CommandOutcome::Nothing { reasons }
                    }
                    Rebuilt::Unapproved { author } => CommandOutcome::Unapproved { author },
                });
                tables.commands.put(txn, &key, &row)?;
                Ok(row)
            })
            .await?;
        self.builds_moved();
        Ok(row)
    }

    async fn conclude(
        &self,
        mut row: Command,
        outcome: CommandOutcome,
    ) -> Result<Command, AskError> {
        row.outcome = Some(outcome);
        self.keep(row.clone()).await?;
        Ok(row)
    }

    async fn answered(&self, mut row: Command) -> Result<(), StorageError> {
        row.answered = true;
        self.keep(row).await
    }

    async fn keep(&self, row: Command) -> Result<(), StorageError> {
        let tables = self.tables.clone();
        let key = (row.repository.number(), row.comment.number());
        self.db
            .submit(move |txn| tables.commands.put(txn, &key, &row))
            .await
    }

    /// A reaction always; a comment where a reaction does not say enough.
    async fn answer(&self, row: &Command, repository: &Repository) -> Result<(), github::Error> {
        let Some(outcome) = &row.outcome else {
            return Ok(());
        };
        let said = answer(outcome, &row.login);
        let (reaction, text) = (said.reaction, said.text);
        let turn = self.app.turn(Class::Answer).await?;
        self.app
            .react(turn, repository, &row.place, row.comment, reaction)
            .await?;
        if let Some(text) = text {
            // The marker tells our answer from before a crash.
            let marker = marker(row);
            if !self
                .app
                .has_comment(repository, &row.place, &marker)
                .await?
            {
                let body = format!("{text}\n\n{marker}");
                let turn = self.app.turn(Class::Answer).await?;
                self.app
                    .comment(turn, repository, &row.place, &body)
                    .await?;
            }
        }
        Ok(())
    }
}

/// What an answer bears. A stranger who could tell it beforehand could keep us from answering, by a
/// comment that bears it.
fn marker(row: &Command) -> String {
    match row.mark {
        Some(mark) => format!("<!-- summit: answer to {}, {mark} -->", row.comment),
        None => format!("<!-- summit: answer to {} -->", row.comment),
    }
}

/// Does what an author who may write asked for, at a head.
fn rebuild(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    row: &Command,
    authorised: &Authorised<Asked>,
    commit: CommitSha,
    now: Timestamp,
) -> Result<Rebuilt, StorageError> {
    match authorised.asked() {
        Asked::Rebuild => {
            let head = rebuild::Head {
                repository: row.repository,
                commit,
            };
            rebuild::head(tables, txn, &authorised.comes_to(head), now)
        }
    }
}
