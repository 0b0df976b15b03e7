//! Runs commands of comments and answers them.
//!
//! The receipt is committed together with what the command begins; only then does its author get it,
//! again and again until GitHub has it. Who may command is asked when the command runs.

use std::sync::Arc;

use moss_db::Error as StorageError;
use service::error::Chain;

use super::command::{self, Ask, COMMANDS, Change, Effect, Read, Step};
use super::worker::{self, Round};
use super::{AskError, Summit};
use crate::db::{Command, Place, Repository};
use crate::domain::build::Target;
use crate::domain::command::Receipt;
use crate::github::{self, Authorised, Class};

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
        // All are carried out before any is answered: answers have a second each, and a cancellation
        // must not wait for those to others.
        let mut round = Round::Done;
        let mut carried_out = Vec::with_capacity(open.len());
        for row in open {
            let id = row.comment;
            match self.carry_out(row).await {
                Ok(row) => carried_out.extend(row),
                Err(error) => {
                    tracing::warn!(comment.id = %id, error = %Chain(&error), "a command waits");
                    round = Round::Later;
                }
            }
        }
        for (row, repository) in carried_out {
            let id = row.comment;
            if let Err(error) = self.answer_at_last(row, &repository).await {
                tracing::warn!(comment.id = %id, error = %Chain(&error), "an answer waits");
                round = Round::Later;
            }
        }
        Ok(round)
    }

    /// Carries a command out, if it is not yet. None where there is nobody to answer.
    async fn carry_out(&self, row: Command) -> Result<Option<(Command, Repository)>, AskError> {
        let tables = self.tables.clone();
        let id = row.repository.number();
        let repository = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id))
            .await?;
        let Some(repository) = repository else {
            self.answered(row).await?;
            return Ok(None);
        };
        if row.receipt.is_some() {
            return Ok(Some((row, repository)));
        }
        match self.decide(row.clone(), &repository).await {
            Ok(row) => Ok(Some((row, repository))),
            // Asked again, GitHub would refuse again; the author may well, with a new comment.
            Err(AskError::GitHub(error)) if error.is_permanent() => {
                tracing::warn!(comment.id = %row.comment, %error, "a command is given up");
                self.answered(row).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Answers a command that is carried out, and notes that GitHub has the answer.
    async fn answer_at_last(&self, row: Command, repository: &Repository) -> Result<(), AskError> {
        match self.answer(&row, repository).await {
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
        let change = match command.effect {
            Effect::Say(say) => {
                let receipt = say(&COMMANDS).for_anybody();
                return Ok(self.conclude(row, receipt).await?);
            }
            Effect::Tell(tell) => {
                let ask = self.ask(&row, repository, arguments).await?;
                let tables = self.tables.clone();
                let told = self.db.query(move |txn| tell(&tables, txn, &ask)).await?;
                return Ok(self.conclude(row, told.for_anybody()).await?);
            }
            Effect::Change(change) => change,
        };
        let role = self.app.find_role(repository, row.author).await?;
        let role = role.map(|(_, role)| role);
        let Some(writer) = role.as_ref().and_then(|role| role.authorise(())) else {
            let role = role.as_ref().map_or("none", |role| role.name());
            let receipt = command::refuse(command, &row.login, role);
            return Ok(self.conclude(row, receipt).await?);
        };
        let ask = self.ask(&row, repository, arguments).await?;
        self.carry_through(row, change, writer.comes_to(ask)).await
    }

    /// Carries a command through, part by part: what comes in meanwhile is taken between two parts.
    async fn carry_through(
        &self,
        mut row: Command,
        change: Change,
        mut ask: Authorised<Ask>,
    ) -> Result<Command, AskError> {
        let now = self.clock.now();
        let key = (row.repository.number(), row.comment.number());
        loop {
            let (tables, before) = (self.tables.clone(), row);
            let part = ask.comes_to(ask.asked().clone());
            row = self
                .submit(move |txn| {
                    // Run before, by a process that was killed between this commit and its answer.
                    if let Some(known) = tables
                        .commands
                        .find(txn, &key)?
                        .filter(|row| row.receipt.is_some())
                    {
                        return Ok::<_, StorageError>(known);
                    }
                    let (progress, receipt) = match change(&tables, txn, &part, now)? {
                        Step::More(progress) => (Some(progress), None),
                        Step::Done(receipt) => (None, Some(receipt)),
                    };
                    let row = Command {
                        progress,
                        receipt,
                        ..before
                    };
                    tables.commands.put(txn, &key, &row)?;
                    Ok(row)
                })
                .await?;
            if row.receipt.is_some() {
                return Ok(row);
            }
            ask = ask.comes_to(Ask {
                progress: row.progress.clone(),
                ..ask.asked().clone()
            });
        }
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
        let standstill = self.standstill().into_iter();
        let standstill = standstill.map(|(profile, known)| (profile, known.reason));
        Ok(Ask {
            repository: row.repository,
            commit,
            target,
            login: row.login.clone(),
            arguments,
            standstill: standstill.collect(),
            progress: row.progress.clone(),
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
        let Some(receipt) = &row.receipt else {
            return Ok(());
        };
        let class = match receipt.for_anybody {
            true => Class::Remark,
            false => Class::Answer,
        };
        let turn = self.app.turn(class).await?;
        let reaction = receipt.reaction.name();
        self.app
            .react(turn, repository, &row.place, row.comment, reaction)
            .await?;
        if let Some(text) = &receipt.text {
            // The marker tells our answer from before a crash.
            let marker = marker(row);
            if !self
                .app
                .has_comment(repository, &row.place, &marker)
                .await?
            {
                let body = format!("{text}\n\n{marker}");
                let turn = self.app.turn(class).await?;
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
