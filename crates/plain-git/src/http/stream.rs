//! What libgit2 writes to a server and reads from it.

use std::io::{self, Read, Write};
use std::sync::Arc;

use reqwest::blocking::{RequestBuilder, Response};

use super::exchange::{check, expect_type};
use super::{Budget, Fault, speak};

/// An answer that arrives.
pub(super) struct Answer {
    response: Response,
    budget: Arc<Budget>,
}

impl Answer {
    pub(super) fn new(response: Response, budget: Arc<Budget>) -> Self {
        Self { response, budget }
    }
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.response.read(buffer).map_err(plain)?;
        self.budget.spend(count).map_err(told)?;
        Ok(count)
    }
}

impl Write for Answer {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A question that is sent as a whole once its answer is read.
pub(super) struct Question {
    request: Option<RequestBuilder>,
    body: Vec<u8>,
    answer: Option<Answer>,
    budget: Arc<Budget>,
}

impl Question {
    pub(super) fn new(request: RequestBuilder, budget: Arc<Budget>) -> Self {
        Self {
            request: Some(request),
            body: Vec::new(),
            answer: None,
            budget,
        }
    }

    fn ask(&mut self) -> Result<(), Fault> {
        let Some(request) = self.request.take() else {
            return Ok(());
        };
        let body = std::mem::take(&mut self.body);
        let response = request.body(body).send().map_err(Fault::Request)?;
        // The list of refs was served with the same credentials.
        check(&response, true)?;
        expect_type(&response, "application/x-git-upload-pack-result")?;
        self.answer = Some(Answer::new(response, Arc::clone(&self.budget)));
        Ok(())
    }
}

impl Read for Question {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ask().map_err(told)?;
        match &mut self.answer {
            Some(answer) => answer.read(buffer),
            // It was asked, and failed.
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Question {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "given to map_err, like the error that it makes"
)]
fn told(fault: Fault) -> io::Error {
    io::Error::other(speak(&fault))
}

/// An error while reading, in words without those of the client's layers.
fn plain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::TimedOut {
        return io::Error::new(error.kind(), "the server says nothing");
    }
    error
}
