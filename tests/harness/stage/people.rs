//! What people do.

use anyhow::Result;
use forge::{Comment, CommentId, Content, OpenPull, Sha, Subject};

use super::{REPOSITORY, Stage, WRITER};
use crate::git::{Checkout, File};

impl Stage {
    /// A person's clone of a repository; the same one each time.
    ///
    /// # Errors
    /// When git fails.
    pub async fn checkout(&self, repository: &str, login: &str) -> Result<Checkout> {
        let name = format!("{}-{login}", repository.replace('/', "-"));
        let folder = self.folder.path().join("checkouts").join(name);
        let url = self.forge.push_url(repository, login)?;
        let ca_file = self
            .authority
            .as_ref()
            .map(|authority| authority.ca.clone());
        Checkout::open(folder, &url, login, ca_file).await
    }

    /// The writer commits these files to the default branch and pushes them.
    ///
    /// # Errors
    /// When git fails.
    pub async fn push(&self, files: &[File]) -> Result<Sha> {
        self.push_to(REPOSITORY, files).await
    }

    /// As [`Self::push`], in another repository.
    ///
    /// # Errors
    /// When git fails.
    pub async fn push_to(&self, repository: &str, files: &[File]) -> Result<Sha> {
        let (checkout, commit) = self.commit(repository, files).await?;
        checkout.push("main").await?;
        Ok(commit)
    }

    /// The writer commits these files to what the forge has of the default branch, and does not
    /// push them yet.
    ///
    /// # Errors
    /// When git fails.
    pub async fn commit(&self, repository: &str, files: &[File]) -> Result<(Checkout, Sha)> {
        let checkout = self.checkout(repository, WRITER).await?;
        checkout.switch("main", "main").await?;
        let commit = checkout.commit(files).await?;
        Ok((checkout, commit))
    }

    /// The writer pushes these files to a branch of that name that comes from the default branch
    /// unless it is there, and opens a pull request for it unless there is one. Gives its number
    /// and head.
    ///
    /// # Errors
    /// When git or the forge fails.
    pub async fn propose(&self, branch: &str, files: &[File]) -> Result<(u64, Sha)> {
        self.propose_as(WRITER, REPOSITORY, branch, files).await
    }

    /// As [`Self::propose`], by anyone, from any repository to [`REPOSITORY`].
    ///
    /// # Errors
    /// When git or the forge fails.
    pub async fn propose_as(
        &self,
        login: &str,
        from: &str,
        branch: &str,
        files: &[File],
    ) -> Result<(u64, Sha)> {
        let checkout = self.checkout(from, login).await?;
        checkout.switch(branch, "main").await?;
        let commit = checkout.commit(files).await?;
        checkout.push(branch).await?;
        let known = (1..)
            .map_while(|number| self.forge.find_pull(REPOSITORY, number))
            .find(|pull| pull.is_open() && pull.head.branch.as_str() == branch);
        if let Some(pull) = known {
            return Ok((pull.number, commit));
        }
        let head = match from.split_once('/') {
            Some((owner, _)) if from != REPOSITORY => format!("{owner}:{branch}"),
            _ => branch.to_owned(),
        };
        let number = self
            .forge
            .open_pull(OpenPull {
                repository: REPOSITORY,
                author: login,
                head: &head,
                base: "main",
                title: branch,
                body: None,
                draft: false,
            })
            .await?;
        Ok((number, commit))
    }

    /// The writer opens a pull request for a branch of [`REPOSITORY`]. Gives its number.
    ///
    /// # Errors
    /// When the forge refuses it.
    pub async fn open(&self, branch: &str, title: &str) -> Result<u64> {
        let open = OpenPull {
            repository: REPOSITORY,
            author: WRITER,
            head: branch,
            base: "main",
            title,
            body: None,
            draft: false,
        };
        Ok(self.forge.open_pull(open).await?)
    }

    /// Waits for a comment by the bot that no test has read yet, and reads it.
    ///
    /// # Errors
    /// When none comes.
    pub async fn read_comment(&mut self, on: &Subject) -> Result<String> {
        let comment = self
            .until("a comment by the bot", async |stage| {
                Ok(stage
                    .unread()
                    .into_iter()
                    .find(|comment| comment.subject == *on))
            })
            .await?;
        self.read.insert(comment.id);
        Ok(comment.body)
    }

    /// Reads all comments by the bot that no test has read yet.
    pub fn take_comments(&mut self) -> Vec<String> {
        let unread = self.unread();
        self.read.extend(unread.iter().map(|comment| comment.id));
        unread.into_iter().map(|comment| comment.body).collect()
    }

    /// Waits for the bot's reaction to a comment.
    ///
    /// # Errors
    /// When none comes.
    pub async fn reaction(&mut self, id: CommentId) -> Result<Content> {
        self.until("a reaction of the bot", async |stage| {
            let comment = stage.forge.find_comment(id);
            let reactions = comment.map(|comment| comment.reactions).unwrap_or_default();
            Ok(reactions.last().map(|reaction| reaction.content))
        })
        .await
    }

    /// The bot's comments that no test has read.
    pub(super) fn unread(&self) -> Vec<Comment> {
        let bot = self.forge.find_account("summit[bot]").map(|bot| bot.id);
        let mut comments: Vec<Comment> = self
            .repositories()
            .iter()
            .flat_map(|name| self.forge.comments(name))
            .collect();
        comments.retain(|comment| Some(comment.author) == bot && !self.read.contains(&comment.id));
        comments
    }
}
