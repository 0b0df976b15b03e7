//! The cache of answers to conditional GETs, with their ETags.
//!
//! GitHub's ETags belong to the token that got them: with another token the same answer has another
//! tag. A tag is sent only with its own token.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most cached answers. A renamed repository leaves some that nobody reads any more.
const MOST: usize = 4096;

/// The last answer of each path.
#[derive(Default)]
pub(super) struct EtagCache(Mutex<HashMap<String, Kept>>);

struct Kept {
    /// The number of the token that got it.
    token: u64,
    tag: String,
    answer: Box<dyn Any + Send + Sync>,
}

impl EtagCache {
    /// The cached answer and its ETag, if this token got them.
    pub(super) fn find<A: Clone + 'static>(&self, path: &str, token: u64) -> Option<(String, A)> {
        let kept = self.lock();
        let kept = kept.get(path).filter(|kept| kept.token == token)?;
        Some((kept.tag.clone(), kept.answer.downcast_ref::<A>()?.clone()))
    }

    /// Caches an answer with its ETag. An answer without an ETag only removes the cached one.
    pub(super) fn keep<A: Send + Sync + 'static>(
        &self,
        path: &str,
        token: u64,
        tag: Option<String>,
        answer: A,
    ) {
        let mut kept = self.lock();
        if kept.len() >= MOST {
            kept.clear();
        }
        match tag {
            Some(tag) => {
                let answer = Box::new(answer);
                kept.insert(path.to_owned(), Kept { token, tag, answer });
            }
            None => drop(kept.remove(path)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EtagCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EtagCache")
            .field(&self.lock().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_with_its_tag_and_only_with_one() {
        let watched = EtagCache::default();
        assert_eq!(watched.find::<u8>("/a", 1), None);
        watched.keep("/a", 1, Some("1".to_owned()), 7_u8);
        assert_eq!(watched.find("/a", 1), Some(("1".to_owned(), 7_u8)));
        assert_eq!(watched.find::<u8>("/b", 1), None);
        // An answer cached as another type is not found.
        assert_eq!(watched.find::<String>("/a", 1), None);
        watched.keep("/a", 1, None, 8_u8);
        assert_eq!(watched.find::<u8>("/a", 1), None);
    }

    #[test]
    fn a_tag_is_of_use_to_the_token_that_got_it_alone() {
        let watched = EtagCache::default();
        watched.keep("/a", 1, Some("1".to_owned()), 7_u8);
        assert_eq!(watched.find::<u8>("/a", 2), None);
        watched.keep("/a", 2, Some("2".to_owned()), 8_u8);
        assert_eq!(watched.find::<u8>("/a", 1), None);
        assert_eq!(watched.find("/a", 2), Some(("2".to_owned(), 8_u8)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let watched = EtagCache::default();
        for number in 0..=MOST {
            watched.keep(&number.to_string(), 1, Some("1".to_owned()), number);
        }
        assert!(watched.lock().len() <= MOST);
        assert!(watched.find::<usize>(&MOST.to_string(), 1).is_some());
    }
}
