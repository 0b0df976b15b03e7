//! Runs commands of comments and answers them.
//!
//! The receipt is committed together with what the command begins; only then does its author get it,
//! again and again until GitHub has it. Who may command is asked when the command runs.

use std::sync::Arc;

use moss_db::Error as StorageError;
use service::error::Chain;

use super::command::{self, Ask, COMMANDS, Effect, Read, Ready};
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Command, Place, Repository};
use crate::domain::build::Target;
use crate::domain::command::Receipt;
use crate::github::{self, Class};

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
        let row = match &row.receipt {
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
    async fn decide(&self, row: Command, repository: &Repository) -> Result<Command, AskError> {
        let (command, arguments) = match command::read(&row.text) {
            Some(Read::Command(command, arguments)) => (command, arguments),
            Some(Read::Refused(receipt)) => return Ok(self.conclude(row, receipt).await?),
            // An older summit took it for a command.
            None => return Ok(row),
        };
        let ready = match command.effect {
            Effect::Say(say) => return Ok(self.conclude(row, say(&COMMANDS)).await?),
            Effect::Tell(tell) => Ready::Tell(tell, self.ask(&row, repository, arguments).await?),
            Effect::Change(change) => {
                let role = self.app.find_role(repository, row.author).await?;
                let role = role.map(|(_, role)| role);
                let Some(writer) = role.as_ref().and_then(|role| role.authorise(())) else {
                    let role = role.as_ref().map_or("none", |role| role.name());
                    let receipt = command::refuse(command, &row.login, role);
                    return Ok(self.conclude(row, receipt).await?);
                };
                let ask = self.ask(&row, repository, arguments).await?;
                Ready::Change(change, writer.comes_to(ask))
            }
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
                    .filter(|row| row.receipt.is_some())
                {
                    return Ok::<_, StorageError>(known);
                }
                let receipt = Some(ready.run(&tables, txn, now)?);
                let row = Command { receipt, ..row };
                tables.commands.put(txn, &key, &row)?;
                Ok(row)
            })
            .await?;
        self.builds_moved();
        Ok(row)
    }

    /// What somebody asks for, at the head that the place of the comment has now.
    async fn ask(
        &self,
        row: &Command,
        repository: &Repository,
        arguments: Vec<String>,
    ) -> Result<Ask, AskError> {
        let (commit, target) = match &row.place {
            Place::Commit { commit } => (Some(*commit), None),
            Place::Pull { number } => {
                let pull = self.app.find_pull(repository, *number).await?;
                let target = Target::Pull { number: *number };
                (pull.map(|pull| pull.head.sha), Some(target))
            }
        };
        Ok(Ask {
            repository: row.repository,
            commit,
            target,
            login: row.login.clone(),
            arguments,
        })
    }

    async fn conclude(&self, mut row: Command, receipt: Receipt) -> Result<Command, StorageError> {
        row.receipt = Some(receipt);
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
        let Some(Receipt { reaction, text }) = &row.receipt else {
            return Ok(());
        };
        let turn = self.app.turn(Class::Answer).await?;
        self.app
            .react(turn, repository, &row.place, row.comment, reaction.name())
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
