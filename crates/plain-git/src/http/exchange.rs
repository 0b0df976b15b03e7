//! A fetch: the list of refs, then rounds of questions and answers, each a request of its own.

use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use url::Url;

use super::stream::{Answer, Question};
use super::{Fault, Network, Redirects};

/// Where the refs are listed, behind the path of a repository, and what its query then ends in.
const REFS: &str = "info/refs";
const SERVICE: &str = "service=git-upload-pack";

/// How often a server may send elsewhere.
const MAX_REDIRECTS: usize = 5;

/// Lets libgit2 fetch over HTTP and HTTPS by this module alone.
///
/// # Safety
/// Nobody may use libgit2 yet.
#[expect(unsafe_code, reason = "libgit2's list of transports is not locked")]
pub(crate) unsafe fn register() {
    for scheme in ["http", "https"] {
        // SAFETY: the caller vouches that nobody reads the list meanwhile.
        let registered = unsafe {
            git2::transport::register(scheme, |remote| {
                // One without a network says so when it is asked: what fails here has no words.
                Transport::smart(remote, true, Exchange::new(Network::current()))
            })
        };
        registered.expect("each scheme is registered once");
    }
}

/// One fetch from one repository.
struct Exchange {
    network: Option<Network>,
    /// The repository as it was found: where the first answer came from.
    found: Mutex<Option<Url>>,
}

impl SmartSubtransport for Exchange {
    fn action(
        &self,
        url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let asked = repository(url)?;
        let network = self.network.as_ref().ok_or(Fault::NoNetwork)?;
        match service {
            Service::UploadPackLs => {
                let (response, found) = list(network, &asked)?;
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                Ok(Box::new(Answer::new(response, Arc::clone(&network.budget))))
            }
            Service::UploadPack => {
                let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                let from = found.as_ref().unwrap_or(&asked);
                let url = join(from, "git-upload-pack");
                (network.admit)(&url).map_err(Fault::NotAdmitted)?;
                let request = opened(network, network.client.post(url.clone()), &asked, &url)
                    .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
                    .header(ACCEPT, "application/x-git-upload-pack-result");
                let budget = Arc::clone(&network.budget);
                Ok(Box::new(Question::new(request, budget)))
            }
            Service::ReceivePackLs | Service::ReceivePack => Err(Fault::Push.into()),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

impl Exchange {
    fn new(network: Option<Network>) -> Self {
        Self {
            network,
            found: Mutex::new(None),
        }
    }
}

/// Asks for the refs, also where the server sends to. Gives where the repository was found.
fn list(network: &Network, asked: &Url) -> Result<(Response, Url), Fault> {
    let mut url = refs_of(asked);
    for _ in 0..=MAX_REDIRECTS {
        (network.admit)(&url).map_err(Fault::NotAdmitted)?;
        let request = opened(network, network.client.get(url.clone()), asked, &url)
            .header(ACCEPT, "*/*")
            .header(CACHE_CONTROL, "no-cache");
        let response = request.send().map_err(Fault::Request)?;
        if let Some(next) = find_redirect(&url, &response) {
            url = follow(network.redirects, &url, next?)?;
            continue;
        }
        check(&response, network.password.is_some())?;
        expect_type(&response, "application/x-git-upload-pack-advertisement")?;
        return Ok((response, without_refs(&url)?));
    }
    Err(Fault::Restless(MAX_REDIRECTS))
}

pub(super) fn follow(redirects: Redirects, from: &Url, to: Url) -> Result<Url, Fault> {
    let shown = || to.origin().ascii_serialization();
    if redirects == Redirects::Refused {
        return Err(Fault::Redirected(shown()));
    }
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        _ => Err(Fault::Downgraded(shown())),
    }
}

/// The request with the password, if it goes to the server that this is for.
fn opened(network: &Network, request: RequestBuilder, asked: &Url, url: &Url) -> RequestBuilder {
    match &network.password {
        Some(password) if asked.origin() == url.origin() => {
            request.basic_auth("x-access-token", Some(password))
        }
        Some(_) | None => request,
    }
}

/// Refuses an answer that is none of git's protocol.
pub(super) fn check(response: &Response, had_password: bool) -> Result<(), Fault> {
    match (response.status(), had_password) {
        (StatusCode::OK, _) => Ok(()),
        (StatusCode::UNAUTHORIZED, false) => Err(Fault::NoPassword),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true) => Err(Fault::Password),
        (status, _) => Err(Fault::Status(status)),
    }
}

/// Refuses an answer of another type: of a server that serves git as mere files, or no git at all.
pub(super) fn expect_type(response: &Response, expected: &str) -> Result<(), Fault> {
    let found = response.headers().get(CONTENT_TYPE);
    match found.and_then(|value| value.to_str().ok()) {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(Fault::NoGit(found.to_owned())),
        None => Err(Fault::NoGit(String::new())),
    }
}

fn find_redirect(from: &Url, response: &Response) -> Option<Result<Url, Fault>> {
    if !response.status().is_redirection() {
        return None;
    }
    let to = response.headers().get(LOCATION)?.to_str().unwrap_or("");
    Some(from.join(to).map_err(|_| Fault::Url(to.to_owned())))
}

fn repository(url: &str) -> Result<Url, Fault> {
    Url::parse(url).map_err(|_| Fault::Url(url.to_owned()))
}

/// Something behind the path of a repository; a query stays, as it does with git.
fn join(repository: &Url, rest: &str) -> Url {
    let mut url = repository.clone();
    url.set_path(&format!("{}/{rest}", url.path().trim_end_matches('/')));
    url.set_fragment(None);
    url
}

/// Where the refs of a repository are listed.
fn refs_of(repository: &Url) -> Url {
    let mut url = join(repository, REFS);
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{SERVICE}"),
        Some(_) | None => SERVICE.to_owned(),
    };
    url.set_query(Some(&query));
    url
}

/// The repository whose refs are listed at a URL.
fn without_refs(url: &Url) -> Result<Url, Fault> {
    let other = || Fault::Redirected(url.origin().ascii_serialization());
    let path = url.path().strip_suffix(REFS).ok_or_else(other)?;
    let query = url.query().and_then(|query| query.strip_suffix(SERVICE));
    let query = query.ok_or_else(other)?.trim_end_matches('&');
    let mut repository = url.clone();
    repository.set_path(path);
    repository.set_query(Some(query).filter(|query| !query.is_empty()));
    Ok(repository)
}
