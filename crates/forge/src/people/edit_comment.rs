//! Comments that are edited and deleted.

use crate::forge::Forge;
use crate::id::{AccountId, CommentId};
use crate::people::{Refused, account, refuse_archived};
use crate::webhook::event::{self, CommentAction};

impl Forge {
    /// Gives a comment another text.
    ///
    /// # Errors
    /// When it or the person is missing.
    pub fn edit_comment(&self, id: CommentId, login: &str, body: &str) -> Result<(), Refused> {
        let person = account(&self.shared.lock(), login)?;
        self.edit_comment_as(id, person, body)
    }

    /// As [`Self::edit_comment`], as an account whose right to do so is known.
    pub(crate) fn edit_comment_as(
        &self,
        id: CommentId,
        person: AccountId,
        body: &str,
    ) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let missing = || Refused::missing("comment", id);
        let of = state.comments.get(&id).ok_or_else(missing)?.repository;
        refuse_archived(state.repository(of))?;
        let comment = state.comments.get_mut(&id).ok_or_else(missing)?;
        let from = std::mem::replace(&mut comment.body, body.to_owned());
        comment.updated_at = self.shared.clock.now();
        let (comment, action) = (comment.clone(), CommentAction::Edited { from });
        event::comment(&self.shared, &mut state, &comment, person, &action);
        drop(state);
        self.shared.changed();
        Ok(())
    }

    /// Deletes a comment with its reactions.
    ///
    /// # Errors
    /// When it or the person is missing.
    pub fn delete_comment(&self, id: CommentId, login: &str) -> Result<(), Refused> {
        let person = account(&self.shared.lock(), login)?;
        self.delete_comment_as(id, person)
    }

    /// As [`Self::delete_comment`], as an account whose right to do so is known.
    pub(crate) fn delete_comment_as(
        &self,
        id: CommentId,
        person: AccountId,
    ) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let missing = || Refused::missing("comment", id);
        let of = state.comments.get(&id).ok_or_else(missing)?.repository;
        refuse_archived(state.repository(of))?;
        let comment = state.comments.remove(&id).ok_or_else(missing)?;
        let action = CommentAction::Deleted;
        event::comment(&self.shared, &mut state, &comment, person, &action);
        drop(state);
        self.shared.changed();
        Ok(())
    }
}
