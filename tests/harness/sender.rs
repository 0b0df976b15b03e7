//! Sends prepared webhooks over connections that stay open, with as little work as can be.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;

use crate::hook::Hook;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Where a GUID stands in a template.
const GUID: &str = "00000000-0000-0000-0000-000000000000";

/// A signed request, whose GUID is put in when it is sent.
#[derive(Debug)]
pub struct Template {
    bytes: Vec<u8>,
    guid_at: usize,
}

impl Template {
    /// A delivery of an event.
    ///
    /// # Panics
    /// When the head has no place for a GUID.
    pub fn new(event: &str, body: &str, secret: &str) -> Self {
        let hook = Hook::unsigned(GUID, event, body).signed(secret);
        let bytes = hook.to_http();
        let text = String::from_utf8_lossy(&bytes);
        let guid_at = text.find(GUID).expect("the request has a GUID");
        Self { bytes, guid_at }
    }
}

/// What was sent and answered.
#[derive(Debug)]
pub struct Sent {
    /// How many.
    pub count: u64,
    time: Duration,
    waits: Vec<Duration>,
}

impl Sent {
    /// How many a second.
    pub fn a_second(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }

    /// What so many of a hundred waited at most: in milliseconds, by nearest rank.
    pub fn percentile(&mut self, percent: usize) -> f64 {
        self.waits.sort();
        let place = (self.waits.len() * percent).div_ceil(100).max(1) - 1;
        self.waits[place].as_secs_f64() * 1000.0
    }
}

/// Counts all that was ever sent, so that no GUID comes twice.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Sends over each connection one after the other, for a while.
///
/// # Errors
/// When something is not taken.
pub async fn for_a_while(
    to: SocketAddr,
    templates: &[Template],
    connections: usize,
    time: Duration,
) -> Result<Sent> {
    let begun = Instant::now();
    let connection = async |_: usize| {
        let mut connection = Connection::open(to).await?;
        let mut count = 0;
        while begun.elapsed() < time {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            connection.send(templates, number).await?;
            count += 1;
        }
        Ok::<_, anyhow::Error>(count)
    };
    let counts: Vec<u64> = try_join_all((0..connections).map(connection)).await?;
    Ok(Sent {
        count: counts.iter().sum(),
        time: begun.elapsed(),
        waits: Vec::new(),
    })
}

/// Sends so many a second, whether they are answered or not. What waits for a connection waits too.
///
/// # Errors
/// When something is not taken.
pub async fn at_a_pace(
    to: SocketAddr,
    templates: &[Template],
    connections: usize,
    a_second: u32,
    time: Duration,
) -> Result<Sent> {
    let begun = Instant::now();
    let total = u64::from(a_second) * time.as_secs();
    let turns = AtomicU64::new(0);
    let connection = async |_: usize| {
        let mut connection = Connection::open(to).await?;
        let mut waits = Vec::new();
        loop {
            let turn = turns.fetch_add(1, Ordering::Relaxed);
            if turn >= total {
                return Ok::<_, anyhow::Error>(waits);
            }
            let due = begun + Duration::from_secs(1) / a_second * u32::try_from(turn)?;
            tokio::time::sleep_until(due).await;
            connection
                .send(templates, NEXT.fetch_add(1, Ordering::Relaxed))
                .await?;
            waits.push(due.elapsed());
        }
    };
    let waits = try_join_all((0..connections).map(connection))
        .await?
        .concat();
    Ok(Sent {
        count: total,
        time: begun.elapsed(),
        waits,
    })
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            request: Vec::new(),
            answer: Vec::new(),
        })
    }

    /// Sends the delivery of that number and reads the answer, which has to say that it was taken.
    async fn send(&mut self, templates: &[Template], number: u64) -> Result<()> {
        let place = usize::try_from(number)? % templates.len();
        let template = &templates[place];
        self.request.clear();
        self.request.extend_from_slice(&template.bytes);
        let guid = format!("00000000-0000-4000-8000-{number:012x}");
        self.request[template.guid_at..template.guid_at + GUID.len()]
            .copy_from_slice(guid.as_bytes());
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            ensure!(
                self.stream.read_buf(&mut self.answer).await? > 0,
                "the connection closed"
            );
            let Some(head) = memchr::memmem::find(&self.answer, b"\r\n\r\n") else {
                continue;
            };
            let text = std::str::from_utf8(&self.answer[..head])?;
            ensure!(text.starts_with("HTTP/1.1 20"), "{text}");
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .context("the answer has a length")?
                .parse()?;
            if self.answer.len() >= head + 4 + length {
                return Ok(());
            }
        }
    }
}
