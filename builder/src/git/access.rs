//! Fetching from one repository.

use std::sync::Arc;

use git2::{AutotagOption, FetchOptions, Repository};
use moss_fetcher::Reach;
use plain_git::http::{Budget, Network, Redirects};

use super::Token;

/// A repository elsewhere, and the way to it.
pub(super) struct Access<'a> {
    pub(super) url: &'a str,
    pub(super) way: &'a Way,
}

/// The way to repositories.
pub(super) struct Way {
    network: Network,
    budget: Arc<Budget>,
    most: u64,
}

impl Way {
    /// Straight to the repository of someone who is trusted; the token opens it.
    pub(super) fn straight(token: Option<&Token>) -> Result<Self, String> {
        let network = Network::new(None).map_err(|error| unable(&error))?;
        let network = match token {
            // A redirect would only lead to where the token is not for.
            Some(token) => network
                .with_password(token.expose())
                .with_redirects(Redirects::Refused),
            None => network,
        };
        Ok(Self::within(network, u64::MAX))
    }

    /// To what a recipe may reach, and to so many bytes in all.
    pub(super) fn checked(reach: Reach, most: u64) -> Result<Self, String> {
        let network = Network::new(Some(reach.resolver())).map_err(|error| unable(&error))?;
        let network = network
            .with_admission(move |url| reach.check(url).map_err(|refused| refused.to_string()));
        Ok(Self::within(network, most))
    }

    fn within(network: Network, most: u64) -> Self {
        let budget = Arc::new(Budget::new(most));
        Self {
            network: network.with_budget(Arc::clone(&budget)),
            budget,
            most,
        }
    }

    /// That all fetches have brought too much, if they have.
    fn find_excess(&self) -> Option<String> {
        let (received, most) = (self.budget.find_excess()?, self.most);
        Some(format!(
            "the repository and its submodules come to {received} bytes and more, and an attempt may \
             fetch {most} (`sources.max_bytes` of the builder's configuration)"
        ))
    }
}

fn unable(error: &reqwest::Error) -> String {
    format!(
        "cannot make an HTTP client: {}",
        service::error::Chain(error)
    )
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
        options.download_tags(AutotagOption::None).depth(depth);
        let mut remote = repository.remote_anonymous(self.url)?;
        let fetch = || remote.fetch(&[refspec], Some(&mut options), None);
        self.way
            .network
            .run(fetch)
            .map_err(|error| match self.way.find_excess() {
                Some(told) => git2::Error::from_str(&told),
                None => error,
            })
    }
}
