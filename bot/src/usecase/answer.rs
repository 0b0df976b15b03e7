//! Runs commands of comments and answers them.
//!
//! A command runs in transactions of bounded size, each of which stores its progress too. The last one
//! stores the receipt. Only then is the receipt sent, with retries until GitHub has it. The author's
//! role is read when the command runs.

use std::sync::Arc;

use api::id::CommitSha;
use jiff::Timestamp;
use moss_db::{Error as StorageError, RoTxn};
use service::error::Chain;

use super::command::{self, Ask, COMMANDS, Change, Effect, Read};
use super::worker::{self, Round};
use super::{AskError, Summit, rebuild};
use crate::db::{Command, CommentPlace, Progress, Repository, Tables, Write};
use crate::domain::build::Target;
use crate::domain::command::Receipt;
use crate::github::{self, Authorised, Class};

pub(super) async fn work(summit: Arc<Summit>) {
    worker::run(&summit.wakes.commands, "commands", || summit.run_commands()).await;
}

impl Summit {
    /// Runs the open commands and answers them.
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
        // All commands run before any answer is sent. Answers keep a second between each other, and
        // a cancellation must not wait for the answers to others.
        let mut round = Round::Done;
        let mut carried_out = Vec::with_capacity(open.len());
        let mut settled = Vec::with_capacity(open.len());
        for row in open {
            let id = row.comment;
            match self.settle_command(row).await {
                Ok(row) => settled.push(row),
                Err(error) => {
                    tracing::error!(comment.id = id.number(), error = %Chain(&error), "a command cannot go on");
                    round = Round::Later;
                }
            }
        }
        for row in settled {
            let id = row.comment;
            match self.carry_out(row).await {
                Ok(row) => carried_out.extend(row),
                Err(error) => {
                    tracing::warn!(comment.id = id.number(), error = %Chain(&error), "a command failed");
                    round = Round::Later;
                }
            }
        }
        for (row, repository) in carried_out {
            let id = row.comment;
            if let Err(error) = self.answer_at_last(row, &repository).await {
                tracing::warn!(comment.id = id.number(), error = %Chain(&error), "an answer failed");
                round = Round::Later;
            }
        }
        Ok(round)
    }

    /// Finishes what an earlier process began, before GitHub is asked for anything; see
    /// [`rebuild::settle`].
    async fn settle_command(&self, mut row: Command) -> Result<Command, StorageError> {
        if let Some(progress) = row.progress.take() {
            let now = self.clock.now();
            let settle = move |tables: &Tables, txn: &mut Write<'_, '_>, progress| {
                rebuild::settle(tables, txn, progress, now)
            };
            let settled = self.advance(
                progress,
                Progress::is_settled,
                settle,
                keep_with(row.clone()),
            );
            row.progress = Some(settled.await?);
        }
        Ok(row)
    }

    /// Runs a command that has no receipt yet. Returns `None` when there is nobody to answer.
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
            // A retry would be refused again. The author can write a new comment.
            Err(AskError::GitHub(error)) if error.is_permanent() => {
                tracing::warn!(comment.id = row.comment.number(), %error, "a command is given up");
                self.answered(row).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Answers a command that has run, and stores that GitHub has the answer.
    async fn answer_at_last(&self, row: Command, repository: &Repository) -> Result<(), AskError> {
        match self.answer(&row, repository).await {
            Ok(()) => {}
            // The comment is gone or locked, so nobody can be answered.
            Err(error) if error.is_permanent() || error.is_forbidden() => {
                tracing::warn!(comment.id = row.comment.number(), %error, "an answer is given up");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(self.answered(row).await?)
    }

    /// Decides a command, carries it through, and stores the receipt.
    async fn decide(&self, row: Command, repository: &Repository) -> Result<Command, AskError> {
        let (command, arguments) = match command::read(&row.text) {
            Some(Read::Command(command, arguments)) => (command, arguments),
            Some(Read::Refused(receipt)) => return Ok(self.conclude(row, receipt).await?),
            // An older version of summit took this text for a command.
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
        if row.progress.is_none()
            && let Some(newer) = self.newer_head(&row, &ask).await?
        {
            let receipt = command::refuse_for_head(command, newer);
            return Ok(self.conclude(row, receipt).await?);
        }
        Ok(self.carry_through(row, change, writer, ask).await?)
    }

    /// The present head of a pull request, if it came after the comment: its author did not see it.
    async fn newer_head(
        &self,
        row: &Command,
        ask: &Ask,
    ) -> Result<Option<CommitSha>, StorageError> {
        let (Some(written_at), Some(commit), Some(target)) =
            (row.written_at, ask.commit, ask.target.clone())
        else {
            return Ok(None);
        };
        let (tables, repository) = (self.tables.clone(), ask.repository);
        let since = self
            .db
            .query(move |txn| tables.head_since(txn, repository, &target, commit))
            .await?;
        // GitHub's times are in whole seconds.
        let is_newer = |since: Timestamp| since.as_second() > written_at.as_second();
        Ok(since.is_some_and(is_newer).then_some(commit))
    }

    /// Runs a command in parts, so that other transactions can run between two parts. It goes on
    /// from the stored progress.
    async fn carry_through(
        &self,
        mut row: Command,
        change: Change,
        writer: Authorised<()>,
        ask: Ask,
    ) -> Result<Command, StorageError> {
        let now = self.clock.now();
        let ask = Arc::new(ask);
        let progress = match row.progress.take() {
            Some(progress) => progress,
            None => {
                let (tables, ask) = (self.tables.clone(), Arc::clone(&ask));
                let choose = move |txn: &RoTxn<'_>| (change.choose)(&tables, txn, &ask);
                match self.db.query(choose).await? {
                    Ok(progress) => progress,
                    Err(receipt) => return self.conclude(row, receipt).await,
                }
            }
        };
        let login = row.login.clone();
        let part = move |tables: &Tables, txn: &mut Write<'_, '_>, progress| {
            (change.part)(tables, txn, &writer.comes_to(progress), &login, now)
        };
        let keep = keep_with(row.clone());
        let progress = self
            .advance(progress, Progress::is_done, part, keep)
            .await?;
        let tables = self.tables.clone();
        let answer = move |txn: &RoTxn<'_>| (change.answer)(&tables, txn, &ask, progress);
        let receipt = self.db.query(answer).await?;
        self.conclude(row, receipt).await
    }

    /// The request, at the present head of the comment's target.
    async fn ask(
        &self,
        row: &Command,
        repository: &Repository,
        arguments: Vec<String>,
    ) -> Result<Ask, AskError> {
        let (commit, target) = match &row.place {
            CommentPlace::Commit { commit } => (Some(*commit), None),
            CommentPlace::Pull { number } => {
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
            arguments,
            standstill: standstill.collect(),
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
        self.db
            .submit(move |txn| tables.commands.put(txn, &row.key(), &row))
            .await
    }

    /// Sends a reaction, and a comment where a reaction is not enough.
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
            // The marker identifies our own answer from before a crash.
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

/// Stores the progress of a command in its row.
fn keep_with(
    row: Command,
) -> impl Fn(&Tables, &mut Write<'_, '_>, &Progress) -> Result<(), StorageError> {
    move |tables, txn, progress| {
        let row = Command {
            progress: Some(progress.clone()),
            ..row.clone()
        };
        tables.commands.put(txn, &row.key(), &row)
    }
}

/// The marker in an answer. Its second part is random: a stranger who could predict it could write
/// it in a comment, and summit would take that comment for its own answer.
fn marker(row: &Command) -> String {
    match row.mark {
        Some(mark) => format!("<!-- summit: answer to {}, {mark} -->", row.comment),
        None => format!("<!-- summit: answer to {} -->", row.comment),
    }
}
