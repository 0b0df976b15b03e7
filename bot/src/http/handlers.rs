//! The state that all handlers share.

use std::sync::Arc;

use secrecy::SecretString;
use service::intake::Intake;
use tokio_util::sync::CancellationToken;

use crate::usecase::Summit;

/// GitHub's limit of a webhook's body, in bytes.
pub const MAX_WEBHOOK_BODY: usize = 25 << 20;

/// The most bytes of all webhook bodies that summit reads at the same time.
const MAX_WEBHOOK_MEMORY: usize = 128 << 20;

/// The state that all handlers share.
#[derive(Clone)]
pub struct Handlers {
    pub(crate) summit: Arc<Summit>,
    pub(crate) secrets: Arc<[SecretString]>,
    pub(crate) webhooks: Intake,
    pub(crate) stop: CancellationToken,
}

impl Handlers {
    /// Handlers for `summit`. Each of `secrets` verifies webhooks; `stop` ends long answers.
    pub fn new(summit: Arc<Summit>, secrets: Vec<SecretString>, stop: CancellationToken) -> Self {
        Self {
            summit,
            secrets: secrets.into(),
            webhooks: Intake::new(MAX_WEBHOOK_BODY, MAX_WEBHOOK_MEMORY),
            stop,
        }
    }
}
