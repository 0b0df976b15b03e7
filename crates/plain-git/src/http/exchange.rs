//! A fetch: the list of refs, then rounds of questions and answers, each a request of its own.

use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use url::Url;

use super::stream::{Answer, Question};
use super::{Fault, Network, Redirects};

/// Where the refs are listed, behind the address of a repository: without a query in that, and with
/// one.
const REFS: [&str; 2] = [
    "/info/refs?service=git-upload-pack",
    "/info/refs&service=git-upload-pack",
];

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
                let url = behind(from, "/git-upload-pack")?;
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
    let mut url = behind(asked, REFS[usize::from(asked.query().is_some())])?;
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

/// The address of something that belongs to a repository: at the very end of the repository's own,
/// behind a query too, as gitprotocol-http(5) has it.
fn behind(repository: &Url, rest: &str) -> Result<Url, Fault> {
    let mut repository = repository.clone();
    repository.set_fragment(None);
    let url = format!("{}{rest}", repository.as_str().trim_end_matches('/'));
    Url::parse(&url).map_err(|_| Fault::Url(url))
}

/// The repository whose refs are listed at an address.
fn without_refs(url: &Url) -> Result<Url, Fault> {
    let mut endings = REFS.iter();
    let repository = endings.find_map(|refs| url.as_str().strip_suffix(refs));
    repository
        .and_then(|repository| Url::parse(repository).ok())
        .ok_or_else(|| Fault::Elsewhere(url.origin().ascii_serialization()))
}
