//! Drafts.

use crate::forge::Forge;
use crate::people::Refused;
use crate::pull::{self, Step};
use crate::webhook::event::PullAction;

impl Forge {
    /// Presses "Ready for review" on a draft.
    ///
    /// # Errors
    /// When the pull request is missing, not open or no draft, or git fails.
    pub async fn mark_ready(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let action = PullAction::ReadyForReview;
        self.set_draft((name, number, by), false, action).await
    }

    /// Presses "Convert to draft".
    ///
    /// # Errors
    /// When the pull request is missing, not open or a draft already, or git fails.
    pub async fn convert_to_draft(&self, name: &str, number: u64, by: &str) -> Result<(), Refused> {
        let action = PullAction::ConvertedToDraft;
        self.set_draft((name, number, by), true, action).await
    }

    async fn set_draft(
        &self,
        (name, number, by): (&str, u64, &str),
        draft: bool,
        action: PullAction,
    ) -> Result<(), Refused> {
        let (key, person) = self.pull_key(name, number, by)?;
        let now = self.shared.clock.now();
        let changed = pull::change(&self.shared, key, person, |_, pull| {
            if !pull.is_open() || pull.draft == draft {
                return Step::Stay;
            }
            (pull.draft, pull.updated_at) = (draft, now);
            Step::Tell(action.clone())
        });
        let changed = changed.await?;
        self.told(changed, || {
            let wanted = if draft { "ready for review" } else { "a draft" };
            format!("pull request {number} is not open and {wanted}")
        })
    }
}
