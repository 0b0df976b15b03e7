//! Fetching from one repository.

use git2::{
    AutotagOption, Cred, CredentialType, FetchOptions, RemoteCallbacks, RemoteRedirect, Repository,
};

use super::Token;

/// A repository elsewhere, and what opens it.
pub(super) struct Access<'a> {
    pub(super) url: &'a str,
    pub(super) token: Option<&'a Token>,
}

impl Access<'_> {
    /// Fetches as `refspec` says; of the history the last `depth` commits, or all for 0.
    pub(super) fn fetch(
        &self,
        repository: &Repository,
        refspec: &str,
        depth: i32,
    ) -> Result<(), git2::Error> {
        let mut callbacks = RemoteCallbacks::new();
        let mut asked = false;
        callbacks.credentials(move |_, _, allowed| match self.token {
            // Asked a second time, the token was refused; answering again would loop.
            Some(token) if !asked && allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                asked = true;
                Cred::userpass_plaintext("x-access-token", token.expose())
            }
            Some(_) => Err(git2::Error::from_str("the repository refuses the token")),
            None => Err(git2::Error::from_str("the repository asks for credentials")),
        });
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .download_tags(AutotagOption::None)
            .depth(depth);
        // A redirect would carry the token elsewhere.
        options.follow_redirects(match self.token {
            Some(_) => RemoteRedirect::None,
            None => RemoteRedirect::Initial,
        });
        repository
            .remote_anonymous(self.url)?
            .fetch(&[refspec], Some(&mut options), None)
    }
}
