//! What the handlers share.

use std::sync::Arc;

use secrecy::SecretString;
use service::intake::Intake;
use tokio_util::sync::CancellationToken;

use crate::usecase::Summit;

/// GitHub's cap on a webhook's body, in bytes.
pub const MAX_WEBHOOK: usize = 25 << 20;

/// The most bytes of webhooks that are being read at a time.
const MAX_WEBHOOKS: usize = 128 << 20;

/// What the handlers share.
#[derive(Clone)]
pub struct Handlers {
    pub(crate) summit: Arc<Summit>,
    pub(crate) secret: SecretString,
    pub(crate) webhooks: Intake,
    pub(crate) stop: CancellationToken,
}

impl Handlers {
    /// Handlers for `summit`; `secret` verifies webhooks, `stop` ends long answers.
    pub fn new(summit: Arc<Summit>, secret: SecretString, stop: CancellationToken) -> Self {
        Self {
            summit,
            secret,
            webhooks: Intake::new(MAX_WEBHOOK, MAX_WEBHOOKS),
            stop,
        }
    }
}
