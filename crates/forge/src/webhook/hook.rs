//! The App's webhook as it is set up now: where to, signed with what, in which form.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::clock::text;
use crate::config::{self, ContentType};
use crate::shape::Urls;
use crate::state::State;

/// The body of an event's JSON, byte for byte as it is signed and sent.
pub(crate) fn body(form: ContentType, json: &Bytes) -> Bytes {
    match form {
        ContentType::Json => json.clone(),
        ContentType::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("payload", &String::from_utf8_lossy(json));
            form.finish().into()
        }
    }
}

/// What can be set while the forge runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) url: Option<Url>,
    pub(crate) secret: SecretString,
    pub(crate) content_type: ContentType,
}

/// The settings, shared.
#[derive(Debug)]
pub(crate) struct Hook(RwLock<Settings>);

impl Hook {
    pub(crate) fn new(app: &config::App) -> Self {
        Self(RwLock::new(Settings {
            url: app.webhook_url.clone(),
            secret: app.webhook_secret.clone(),
            content_type: app.webhook_content_type,
        }))
    }

    pub(crate) fn settings(&self) -> Settings {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The payload of `ping`.
pub(crate) fn ping(state: &State, urls: &Urls, app: &config::App, hook: &Settings) -> Value {
    let secret = hook.secret.expose_secret();
    let at = text(state.started_at);
    json!({
        "zen": "Keep it logically awesome.",
        "hook_id": app.id,
        "hook": {
            "type": "App",
            "id": app.id,
            "name": "web",
            "active": true,
            "events": app.events,
            "config": {
                "content_type": hook.content_type.word(),
                "insecure_ssl": "0",
                "secret": if secret.is_empty() { "" } else { "********" },
                "url": hook.url,
            },
            "created_at": at,
            "updated_at": at,
            "app_id": app.id,
            "deliveries_url": format!("{}/app/hook/deliveries", urls.api()),
        },
    })
}
