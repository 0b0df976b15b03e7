use std::io::Write;

use super::{WriteError, Writer};
use crate::payload::Encoded;

/// A payload that is not understood, and its place among those that are: so a
/// file is written again with everything in the order in which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// How many of the payloads that are understood stand before it. Where
    /// fewer are written, it comes at the end.
    pub place: usize,
    /// The payload.
    pub payload: Encoded<'static>,
}

/// Kept payloads that are being written between others.
pub(crate) struct Places<'a> {
    left: std::vec::IntoIter<&'a Kept>,
    written: usize,
}

impl<'a> Places<'a> {
    pub(crate) fn of(kept: &'a [Kept]) -> Self {
        let mut sorted: Vec<&Kept> = kept.iter().collect();
        sorted.sort_by_key(|kept| kept.place);
        Self {
            left: sorted.into_iter(),
            written: 0,
        }
    }

    /// Writes those that stand before the next other payload.
    pub(crate) fn before_next(&mut self, to: &mut Writer<impl Write>) -> Result<(), WriteError> {
        let here = self.written;
        self.written = here.saturating_add(1);
        while let Some(kept) = self.left.as_slice().first().copied() {
            if kept.place > here {
                break;
            }
            to.payload(&kept.payload)?;
            self.left.next();
        }
        Ok(())
    }

    /// Writes those that are left.
    pub(crate) fn rest(self, to: &mut Writer<impl Write>) -> Result<(), WriteError> {
        for kept in self.left {
            to.payload(&kept.payload)?;
        }
        Ok(())
    }
}
