//! Which streams and tags may be moved, and where to.
//!
//! `volatile` follows the newest history by itself. Other streams are moved by hand. A tag pins
//! one history for ever.

use api::id::{HistoryId, StreamName, TagName};

use super::root::VOLATILE;

/// Why a stream or a tag cannot name a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Immovable {
    /// The stream is moved by imports only.
    #[error("the stream {VOLATILE} follows the newest history by itself")]
    Volatile,
    /// The tag names another history already.
    #[error("the tag {tag} names the history {history} for ever")]
    Pinned {
        /// The tag.
        tag: TagName,
        /// What it names.
        history: HistoryId,
    },
}

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// It names the target already.
    Unchanged,
    /// It is to name the target.
    Set,
}

/// May `stream`, which names `standing`, name `target`?
///
/// # Errors
/// When it is moved by imports only.
pub(crate) fn move_stream(
    stream: &StreamName,
    standing: Option<&HistoryId>,
    target: &HistoryId,
) -> Result<Move, Immovable> {
    if stream.as_str() == VOLATILE {
        return Err(Immovable::Volatile);
    }
    Ok(if standing == Some(target) {
        Move::Unchanged
    } else {
        Move::Set
    })
}

/// May `tag`, which names `standing`, name `target`?
///
/// # Errors
/// When it names another history already.
pub(crate) fn set_tag(
    tag: &TagName,
    standing: Option<&HistoryId>,
    target: &HistoryId,
) -> Result<Move, Immovable> {
    match standing {
        None => Ok(Move::Set),
        Some(standing) if standing == target => Ok(Move::Unchanged),
        Some(standing) => Err(Immovable::Pinned {
            tag: tag.clone(),
            history: standing.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> HistoryId {
        text.parse().unwrap()
    }

    #[test]
    fn streams_move_and_volatile_does_not() {
        let stable = "stable".parse().unwrap();
        assert_eq!(move_stream(&stable, None, &id("a")), Ok(Move::Set));
        assert_eq!(
            move_stream(&stable, Some(&id("b")), &id("a")),
            Ok(Move::Set)
        );
        assert_eq!(
            move_stream(&stable, Some(&id("a")), &id("a")),
            Ok(Move::Unchanged)
        );
        let volatile = VOLATILE.parse().unwrap();
        assert_eq!(
            move_stream(&volatile, Some(&id("a")), &id("a")),
            Err(Immovable::Volatile)
        );
    }

    #[test]
    fn a_tag_never_moves() {
        let tag: TagName = "2026-11".parse().unwrap();
        assert_eq!(set_tag(&tag, None, &id("a")), Ok(Move::Set));
        assert_eq!(set_tag(&tag, Some(&id("a")), &id("a")), Ok(Move::Unchanged));
        let pinned = set_tag(&tag, Some(&id("b")), &id("a")).unwrap_err();
        assert_eq!(
            pinned.to_string(),
            "the tag 2026-11 names the history b for ever"
        );
    }
}
