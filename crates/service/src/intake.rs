//! Bodies of requests, from whoever may connect: bounded each in bytes and time, and all together
//! in memory. What is cheap to check (a token, a header) is checked before a body is read.

use std::sync::Arc;
use std::time::Duration;

use api::problem::Code;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ApiError;

/// How long a body may take. GitHub itself gives up a delivery after 10 seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the bodies of some endpoints. Clones share the memory they may use.
#[derive(Debug, Clone)]
pub struct Intake {
    most: usize,
    /// One permit for each KiB.
    memory: Arc<Semaphore>,
    patience: Duration,
}

impl Intake {
    /// Takes bodies of `most` bytes at most, and `together` bytes at most of all that are being
    /// read at a time.
    pub fn new(most: usize, together: usize) -> Self {
        Self {
            most,
            memory: Arc::new(Semaphore::new(together / 1024)),
            patience: PATIENCE,
        }
    }

    /// Reads one body.
    ///
    /// # Errors
    /// [`Code::TooLarge`] for a longer one, as soon as that is known; [`Code::Malformed`] for one
    /// that breaks off or takes more than 10 seconds; [`Code::Unavailable`] while others fill the
    /// memory.
    pub async fn read(&self, body: Body) -> Result<Bytes, ApiError> {
        match tokio::time::timeout(self.patience, self.collect(body)).await {
            Ok(read) => read,
            Err(_) => Err(ApiError::new(
                Code::Malformed,
                format!(
                    "the body was not there after {} s",
                    self.patience.as_secs_f32()
                ),
            )),
        }
    }

    async fn collect(&self, mut body: Body) -> Result<Bytes, ApiError> {
        let claimed = axum::body::HttpBody::size_hint(&body).lower();
        if claimed > self.most as u64 {
            return Err(self.refuse_large(body, 0).await);
        }
        let mut read = BytesMut::new();
        let mut held: Option<SemaphorePermit<'_>> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                tracing::debug!(%error, "a body broke off");
                ApiError::new(Code::Malformed, "the body broke off")
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if data.len() > self.most - read.len() {
                drop((read, held));
                return Err(self.refuse_large(body, data.len()).await);
            }
            // Paid for by what has come, not by what is claimed, so that claims block nobody.
            let before = kib(read.len());
            read.extend_from_slice(&data);
            let more = kib(read.len()) - before;
            let permit = self.memory.try_acquire_many(more).map_err(|_| {
                ApiError::new(Code::Unavailable, "too many bodies at once; send it again")
            })?;
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
        }
        Ok(read.freeze())
    }

    /// The refusal of a body that is too long, of which `seen` bytes count as seen. As much again as
    /// is allowed is read and thrown away, because a sender that is cut off while it sends mostly
    /// learns only that the connection broke.
    async fn refuse_large(&self, mut body: Body, mut seen: usize) -> ApiError {
        while seen <= self.most.saturating_mul(2) {
            match body.frame().await {
                Some(Ok(frame)) => seen += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => break,
            }
        }
        ApiError::new(
            Code::TooLarge,
            format!("a body has at most {} bytes", self.most),
        )
    }
}

fn kib(bytes: usize) -> u32 {
    // Bodies of 4 TiB do not fit in memory.
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(read: Result<Bytes, ApiError>) -> Code {
        read.unwrap_err().code()
    }

    #[tokio::test]
    async fn a_body_of_the_most_bytes_is_read_and_one_more_is_too_large() {
        let intake = Intake::new(3000, 1 << 20);
        let body = vec![7; 3000];
        assert_eq!(
            intake.read(Body::from(body.clone())).await.unwrap(),
            Bytes::from(body)
        );
        assert_eq!(
            code(intake.read(Body::from(vec![7; 3001])).await),
            Code::TooLarge
        );
        // Of unknown length.
        let parts = (0..4).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 1000]));
        let body = Body::from_stream(futures_util::stream::iter(parts));
        assert_eq!(code(intake.read(body).await), Code::TooLarge);
    }

    #[tokio::test]
    async fn bodies_together_stay_within_the_memory_and_give_it_back() {
        let intake = Intake::new(8 << 10, 8 << 10);
        let slow = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![7_u8; 6 << 10])]);
        let slow = Body::from_stream(futures_util::StreamExt::chain(
            slow,
            futures_util::stream::pending(),
        ));
        let mut slow = std::pin::pin!(intake.read(slow));
        assert!(
            futures_util::poll!(&mut slow).is_pending(),
            "the first body waits for its rest"
        );
        let other = || intake.read(Body::from(vec![7; 4 << 10]));
        assert_eq!(code(other().await), Code::Unavailable);
        assert_eq!(intake.memory.available_permits(), 2, "the first one's");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up_and_its_memory_given_back() {
        let intake = Intake {
            patience: Duration::from_millis(20),
            ..Intake::new(8 << 10, 8 << 10)
        };
        let part = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![7_u8; 6 << 10])]);
        let body = Body::from_stream(futures_util::StreamExt::chain(
            part,
            futures_util::stream::pending(),
        ));
        assert_eq!(code(intake.read(body).await), Code::Malformed);
        assert_eq!(intake.memory.available_permits(), 8);
    }
}
