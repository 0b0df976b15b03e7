//! Fetching from one repository.

use git2::{
    AutotagOption, Cred, CredentialType, FetchOptions, ProxyOptions, RemoteCallbacks,
    RemoteRedirect, Repository,
};
use url::Url;

use super::Token;
use super::egress::Egress;

/// A repository elsewhere, and the way to it.
pub(super) struct Access<'a> {
    pub(super) url: &'a str,
    pub(super) way: Way<'a>,
}

/// The way to a repository.
pub(super) enum Way<'a> {
    /// Straight, as whoever ordered it is trusted; the token opens it.
    Straight(Option<&'a Token>),
    /// To what a recipe may reach.
    Checked(&'a Egress),
}

impl Access<'_> {
    /// Fetches as `refspec` says; of the history the last `depth` commits, or all for 0.
    pub(super) fn fetch(
        &self,
        repository: &Repository,
        refspec: &str,
        depth: i32,
    ) -> Result<(), git2::Error> {
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(self.callbacks())
            .download_tags(AutotagOption::None)
            .depth(depth)
            .follow_redirects(self.redirects());
        if let Way::Checked(egress) = &self.way {
            self.check(egress)?;
            let mut proxy = ProxyOptions::new();
            proxy.url(&egress.url());
            options.proxy_options(proxy);
        }
        let fetched =
            repository
                .remote_anonymous(self.url)?
                .fetch(&[refspec], Some(&mut options), None);
        match &self.way {
            Way::Checked(egress) => fetched.map_err(|error| {
                let told = egress.find_excess().or_else(|| egress.take_failure());
                told.map_or(error, |told| git2::Error::from_str(&told))
            }),
            Way::Straight(_) => fetched,
        }
    }

    fn callbacks(&self) -> RemoteCallbacks<'_> {
        let token = match self.way {
            Way::Straight(token) => token,
            Way::Checked(_) => None,
        };
        let mut callbacks = RemoteCallbacks::new();
        let mut asked = false;
        callbacks.credentials(move |_, _, allowed| match token {
            // Asked a second time, the token was refused; answering again would loop.
            Some(token) if !asked && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                asked = true;
                Cred::userpass_plaintext("x-access-token", token.expose())
            }
            Some(_) => Err(git2::Error::from_str("the repository refuses the token")),
            None => Err(git2::Error::from_str("the repository asks for credentials")),
        });
        if let Way::Checked(egress) = self.way {
            let before = egress.fetched();
            callbacks
                .transfer_progress(move |progress| egress.count(before, progress.received_bytes()));
        }
        callbacks
    }

    fn redirects(&self) -> RemoteRedirect {
        match self.way {
            // A redirect would carry the token elsewhere.
            Way::Straight(Some(_)) => RemoteRedirect::None,
            // Nobody would check where it leads.
            Way::Checked(_) if !self.url.starts_with("https:") => RemoteRedirect::None,
            // From HTTPS to HTTP libgit2 follows none.
            Way::Straight(None) | Way::Checked(_) => RemoteRedirect::Initial,
        }
    }

    fn check(&self, egress: &Egress) -> Result<(), git2::Error> {
        let told = |error: &dyn std::fmt::Display| git2::Error::from_str(&error.to_string());
        let url = Url::parse(self.url).map_err(|error| told(&error))?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        egress.check(host, port).map_err(|error| told(&error))
    }
}
