//! Reading integers and slices from bytes whose lengths are only claims.

/// Data ended before what it promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the data ends early: {needed} bytes are needed at byte {offset}, but only {left} are left"
)]
pub struct Short {
    /// Where the missing bytes should have begun.
    pub offset: u64,
    /// How many bytes should have been there.
    pub needed: u64,
    /// How many bytes were there.
    pub left: u64,
}

/// A position in bytes, from which big-endian values are read.
#[derive(Debug, Clone)]
pub(crate) struct Input<'a> {
    left: &'a [u8],
    offset: u64,
}

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self {
            left: data,
            offset: 0,
        }
    }

    /// How many bytes were read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }

    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], Short> {
        let split = usize::try_from(count)
            .ok()
            .and_then(|count| self.left.split_at_checked(count));
        let Some((taken, left)) = split else {
            return Err(self.short(count));
        };
        self.left = left;
        self.offset += count;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let Some((taken, left)) = self.left.split_first_chunk::<N>() else {
            return Err(self.short(N as u64));
        };
        self.left = left;
        self.offset += N as u64;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128, Short> {
        self.array().map(u128::from_be_bytes)
    }

    fn short(&self, needed: u64) -> Short {
        Short {
            offset: self.offset,
            needed,
            left: self.left.len() as u64,
        }
    }
}

/// A text of the format without the NULs at its end.
pub(crate) fn without_trailing_nul(mut text: &[u8]) -> &[u8] {
    while let Some((0, rest)) = text.split_last() {
        text = rest;
    }
    text
}
