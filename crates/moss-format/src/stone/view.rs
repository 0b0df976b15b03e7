use std::borrow::Cow;

use super::{Error, FILE_TYPE_AT, FileType, Header};
use crate::bytes::Input;
use crate::payload::{self, Encoded};

/// A file in memory, read without copying.
///
/// Only the header was checked when it was made; each payload's place is
/// checked when the iterator comes to it.
#[derive(Debug, Clone)]
pub struct View<'a> {
    header: Header,
    input: Input<'a>,
}

impl<'a> View<'a> {
    /// Checks the header of these bytes.
    ///
    /// # Errors
    ///
    /// When they do not begin as a stone does.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut input = Input::new(bytes);
        let header = Header::read(&mut input)?;
        Ok(Self { header, input })
    }

    /// As [`View::new`], for a file that must be of this type.
    ///
    /// # Errors
    ///
    /// As [`View::new`], and for another type of file.
    pub fn of_type(bytes: &'a [u8], expected: FileType) -> Result<Self, Error> {
        let view = Self::new(bytes)?;
        view.header.file_type.require(expected)?;
        Ok(view)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payloads in the order of the file. The first error is the last item.
    pub fn payloads(&self) -> impl Iterator<Item = Result<Encoded<'a>, Error>> + use<'a> {
        Payloads {
            input: self.input.clone(),
            left: self.header.payloads,
            ended: false,
        }
    }
}

impl FileType {
    pub(crate) fn require(self, expected: Self) -> Result<(), Error> {
        if self == expected {
            return Ok(());
        }
        Err(Error::WrongFileType {
            offset: FILE_TYPE_AT,
            expected,
            found: self,
        })
    }
}

struct Payloads<'a> {
    input: Input<'a>,
    left: u16,
    ended: bool,
}

impl<'a> Payloads<'a> {
    fn step(&mut self) -> Result<Option<Encoded<'a>>, Error> {
        let offset = self.input.offset();
        let Some(left) = self.left.checked_sub(1) else {
            return match self.input.left() as u64 {
                0 => Ok(None),
                count => Err(Error::Trailing { offset, count }),
            };
        };
        self.left = left;
        let header = payload::Header::read(&mut self.input)?;
        let stored = self.input.take(header.stored_size)?;
        Ok(Some(Encoded::found(header, Cow::Borrowed(stored), offset)))
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Result<Encoded<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }
}
