//! Carries out a request that concerns many builds, in transactions of bounded size.

use std::sync::Arc;

use moss_db::Error;

use super::Summit;
use crate::db::{Progress, Tables, Write};

impl Summit {
    /// Runs `step` until `is_over`, each time in a transaction of its own, in which `keep` stores the
    /// new progress. So other transactions can run between two steps, and the next start goes on
    /// from the stored progress.
    pub(super) async fn advance<S, K>(
        &self,
        mut progress: Progress,
        is_over: fn(&Progress) -> bool,
        step: S,
        keep: K,
    ) -> Result<Progress, Error>
    where
        S: Fn(&Tables, &mut Write<'_, '_>, Progress) -> Result<Progress, Error>
            + Send
            + Sync
            + 'static,
        K: Fn(&Tables, &mut Write<'_, '_>, &Progress) -> Result<(), Error> + Send + Sync + 'static,
    {
        let actions = Arc::new((step, keep));
        while !is_over(&progress) {
            let (tables, actions) = (self.tables.clone(), Arc::clone(&actions));
            progress = self
                .submit(move |txn| {
                    let (step, keep) = &*actions;
                    let progress = step(&tables, txn, progress)?;
                    keep(&tables, txn, &progress)?;
                    Ok::<_, Error>(progress)
                })
                .await?;
        }
        Ok(progress)
    }
}
