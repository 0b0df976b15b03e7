//! The App's webhook: what its owner sets up. It is as the configuration has it again at the next
//! start.

use secrecy::SecretString;
use url::Url;

use crate::config::ContentType;
use crate::forge::Forge;
use crate::webhook::{self, send};

impl Forge {
    /// Sends webhooks there from now on, those first that waited for an address, and then a `ping`.
    /// With None they wait.
    pub fn set_webhook_url(&self, url: Option<Url>) {
        let is_set = url.is_some();
        self.shared.hook.change(|hook| hook.url = url);
        send::resume(&self.shared);
        if is_set {
            webhook::ping(&self.shared);
        }
    }

    /// Signs webhooks with another secret from now on, those too that are sent again.
    pub fn set_webhook_secret(&self, secret: SecretString) {
        self.shared.hook.change(|hook| hook.secret = secret);
    }

    /// Sends webhooks in another form from now on.
    pub fn set_webhook_content_type(&self, content_type: ContentType) {
        let change = |hook: &mut webhook::hook::Settings| hook.content_type = content_type;
        self.shared.hook.change(change);
    }
}
