//! Reviews of pull requests.

use crate::forge::{Forge, blocking};
use crate::git::diff::{self, FileDiff};
use crate::id::{AccountId, ReviewCommentId, ReviewId};
use crate::people::Refused;
use crate::pull::Key;
use crate::state::State;
use crate::state::review::{LinePlace, Review, ReviewComment, Verdict};
use crate::webhook::event;

impl Forge {
    /// Submits a review of a pull request.
    ///
    /// # Errors
    /// When the person or the pull request is missing, when it is the person's own and the verdict is
    /// more than a comment, or when there is no text and it is no approval.
    pub fn review(
        &self,
        name: &str,
        number: u64,
        by: &str,
        body: &str,
        verdict: Verdict,
    ) -> Result<ReviewId, Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        if body.trim().is_empty() && verdict != Verdict::Approve {
            return Err(Refused::State("a review needs a text".to_owned()));
        }
        let mut state = self.shared.lock();
        let is_own = state
            .pulls
            .get(&key)
            .is_some_and(|pull| pull.author == person);
        if is_own && verdict != Verdict::Comment {
            let problem = format!("pull request {number} is {by}'s own");
            return Err(Refused::State(problem));
        }
        let id = self.submit(&mut state, key, person, body, verdict)?;
        drop(state);
        self.shared.changed();
        Ok(id)
    }

    fn submit(
        &self,
        state: &mut State,
        key: Key,
        author: AccountId,
        body: &str,
        verdict: Verdict,
    ) -> Result<ReviewId, Refused> {
        let pull = state.pulls.get(&key);
        let pull = pull.ok_or_else(|| Refused::missing("pull request", key.1))?;
        let commit = pull.head.sha.clone();
        let id = state.next_id();
        let review = Review {
            id,
            repository: key.0,
            number: key.1,
            author,
            verdict,
            body: body.to_owned(),
            commit,
            submitted_at: self.shared.clock.now(),
        };
        state.reviews.insert(id, review);
        event::review_submitted(&self.shared, state, id);
        Ok(id)
    }

    /// Comments at a line of a file, `(path, line)`, as the pull request has it now. A review without
    /// a text comes with it, as on GitHub.
    ///
    /// # Errors
    /// When the person or the pull request is missing, the line is not in its difference, there is no
    /// text, or git fails.
    pub async fn comment_on_line(
        &self,
        name: &str,
        number: u64,
        by: &str,
        place: (&str, u64),
        body: &str,
    ) -> Result<ReviewCommentId, Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        if body.trim().is_empty() {
            return Err(Refused::State("a comment needs a text".to_owned()));
        }
        let (path, base, head) = {
            let state = self.shared.lock();
            let pull = state.pulls.get(&key);
            let pull = pull.ok_or_else(|| Refused::missing("pull request", number))?;
            let path = state.repository(key.0).path.clone();
            (path, pull.base.tip().clone(), pull.head.sha.clone())
        };
        let commit = head.clone();
        let difference = blocking(move || diff::of_pull(&path, &base, &head)).await?;
        let file = difference.files.iter().find(|file| file.path == place.0);
        let found = file.and_then(|file| find_line(file, place.1));
        let place = found.ok_or_else(|| {
            let (path, line) = place;
            Refused::State(format!("line {line} of {path} is not in the difference"))
        })?;
        let mut state = self.shared.lock();
        let review = self.submit(&mut state, key, person, "", Verdict::Comment)?;
        let id = state.next_id();
        let comment = ReviewComment {
            id,
            review,
            repository: key.0,
            number,
            author: person,
            place,
            commit,
            body: body.to_owned(),
            created_at: self.shared.clock.now(),
        };
        state.review_comments.insert(id, comment);
        event::review_comment_created(&self.shared, &mut state, id);
        drop(state);
        self.shared.changed();
        Ok(id)
    }
}

/// Where a line of the head's file stands in the file's difference.
fn find_line(file: &FileDiff, line: u64) -> Option<LinePlace> {
    // The first header is not counted, each later one is.
    let mut position = 0;
    for (hunk_number, hunk) in file.hunks().iter().enumerate() {
        position += u64::from(hunk_number > 0);
        let mut text = hunk.header.clone();
        for one in &hunk.lines {
            position += 1;
            text.push_str(&format!("\n{}{}", one.kind.mark(), one.text));
            if one.new.map(u64::from) == Some(line) {
                return Some(LinePlace {
                    path: file.path.clone(),
                    line,
                    position,
                    hunk: text,
                });
            }
        }
    }
    None
}
