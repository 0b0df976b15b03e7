//! The one way out of a helper that clones for a recipe.
//!
//! libgit2 resolves names and follows redirects by itself, so whom it asks cannot be checked
//! beforehand. It takes a proxy, though, and asks it for every connection of HTTPS. This is one, on
//! loopback and in the helper's own process: it resolves the name, refuses what a recipe may not
//! reach, and connects to the very address that it has checked.
//!
//! For plain HTTP libgit2 goes past its proxy. There, the name is checked before and no redirect is
//! followed; a name server that gives another answer a moment later is the gap that remains.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use moss_fetcher::{NotPublic, Reach};
use service::error::Chain;

/// How long connecting to one address may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(120);
/// The most bytes of a request to the proxy.
const MAX_HEAD: usize = 8 << 10;

/// A proxy that goes with the process.
pub(super) struct Egress {
    address: SocketAddr,
    reach: Arc<Reach>,
    /// Why the last connection could not be made: libgit2 tells only a number.
    failure: Arc<Mutex<Option<String>>>,
    /// How many bytes of objects may be fetched in all, and how many were.
    most: u64,
    fetched: Cell<u64>,
}

impl Egress {
    /// Opens it for what `reach` admits.
    pub(super) fn open(reach: Reach, most: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let egress = Self {
            address: listener.local_addr()?,
            reach: Arc::new(reach),
            failure: Arc::default(),
            most,
            fetched: Cell::new(0),
        };
        let (reach, failure) = (Arc::clone(&egress.reach), Arc::clone(&egress.failure));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (reach, failure) = (Arc::clone(&reach), Arc::clone(&failure));
                // What breaks off, its client notices.
                thread::spawn(move || serve(client, &reach, &failure));
            }
        });
        Ok(egress)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Why the last connection could not be made, once.
    pub(super) fn take_failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Counts what a fetch has brought so far, after `before` of those before it. True while more
    /// may come.
    pub(super) fn count(&self, before: u64, bytes: usize) -> bool {
        self.fetched.set(before.saturating_add(bytes as u64));
        self.fetched.get() <= self.most
    }

    /// What all fetches have brought, in bytes.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched.get()
    }

    /// That they have brought too much, if they have.
    pub(super) fn find_excess(&self) -> Option<String> {
        let (fetched, most) = (self.fetched.get(), self.most);
        (fetched > most).then(|| {
            format!(
                "the repository and its submodules come to {fetched} bytes and more, and an attempt may \
                 fetch {most} (`sources.max_bytes` of the builder's configuration)"
            )
        })
    }

    /// Checks a host that is not asked through here.
    pub(super) fn check(&self, host: &str, port: u16) -> io::Result<()> {
        self.reach.resolve(host, port).map(drop)
    }
}

/// Serves one connection: a request for a tunnel, then what goes through it.
fn serve(mut client: TcpStream, reach: &Reach, failure: &Mutex<Option<String>>) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    let head = read_head(&mut client)?;
    let server = target(&head)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no request for a tunnel"))
        .and_then(|(host, port)| connect(reach, host, port));
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            let status = match error.get_ref() {
                Some(inner) if inner.is::<NotPublic>() => "403 Forbidden",
                _ => "502 Bad Gateway",
            };
            // First, as the client looks here once it has its answer.
            *failure.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Chain(&error).to_string());
            write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")?;
            return Err(error);
        }
    };
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    server.set_read_timeout(Some(SILENCE))?;
    let (from, to) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || pass(from, to));
    pass(client, server);
    // A panic there ends the connection as well.
    let _ = back.join();
    Ok(())
}

/// Passes on what comes until its end; an error ends it too, and both sides notice.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn connect(reach: &Reach, host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = None;
    for address in reach.resolve(host, port)? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn read_head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    // A byte at a time, as nothing after it may be swallowed.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}

/// The host and port of `CONNECT example.org:443 HTTP/1.1`.
fn target(head: &[u8]) -> Option<(&str, u16)> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let authority = line.strip_prefix("CONNECT ")?.split(' ').next()?;
    let (host, port) = authority.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use moss_fetcher::Exceptions;

    use super::*;

    fn ask(egress: &Egress, request: &str) -> String {
        let mut client = TcpStream::connect(egress.address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn tunnels_lead_only_to_what_is_admitted() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = echo.local_addr().unwrap().port();
        let request = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
        let strict = Egress::open(Reach::Public(Exceptions::default()), 0).unwrap();
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "2130706433",
        ] {
            let answer = ask(&strict, &request.replace("127.0.0.1", host));
            assert_eq!(answer, "HTTP/1.1 403 Forbidden", "{host}");
            let told = format!("`{host}` has no public address");
            assert_eq!(strict.take_failure(), Some(told));
        }
        assert_eq!(
            ask(&strict, "GET http://127.0.0.1/ HTTP/1.1\r\n\r\n"),
            "HTTP/1.1 502 Bad Gateway"
        );
        assert_eq!(
            strict.take_failure().as_deref(),
            Some("no request for a tunnel")
        );
        drop(echo.set_nonblocking(true));
        assert!(echo.accept().is_err(), "somebody was let through");

        let reach = Reach::Public(Exceptions {
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            origins: Vec::new(),
        });
        let open = Egress::open(reach, 0).unwrap();
        echo.set_nonblocking(false).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = echo.accept().unwrap();
            stream.write_all(b"hello\n").unwrap();
        });
        let mut client = TcpStream::connect(open.address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        server.join().unwrap();
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\nhello\n");
    }
}
