//! Taking a stored key apart.

/// Why stored bytes are no key of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes end too early.
    #[error("the key ends too early")]
    TooShort,
    /// Bytes remain after the last member.
    #[error("{0} more bytes follow the key")]
    TrailingBytes(usize),
    /// The bytes are no value of the type.
    #[error("the key is not valid: {0}")]
    Invalid(String),
}

/// The bytes of a stored key that are not read yet.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the next `length` bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooShort`] when there are not as many.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], KeyError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(KeyError::TooShort)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes the next `N` bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooShort`] when there are not as many.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(KeyError::TooShort)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Refuses bytes that nobody read.
    pub(crate) fn finish(self) -> Result<(), KeyError> {
        match self.rest.len() {
            0 => Ok(()),
            length => Err(KeyError::TrailingBytes(length)),
        }
    }
}
