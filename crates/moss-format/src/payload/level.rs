use std::fmt;

/// How hard zstd compresses: from 1, the fastest, to 22, the smallest. Others
/// have a meaning of their own for zstd, such as 0 for some default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(i32);

/// The number is no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a zstd level is from {} to {}, not {level}",
    Level::FASTEST,
    Level::SMALLEST
)]
pub struct LevelError {
    level: i32,
}

impl Level {
    /// The one that takes the least time.
    pub const FASTEST: Self = Self(1);
    /// The one that packages are written with.
    pub const DEFAULT: Self = Self(16);
    /// The one that leaves the fewest bytes.
    pub const SMALLEST: Self = Self(22);

    /// The level of this number.
    ///
    /// # Errors
    ///
    /// When it is not from 1 to 22.
    pub const fn new(level: i32) -> Result<Self, LevelError> {
        if level < Self::FASTEST.0 || level > Self::SMALLEST.0 {
            return Err(LevelError { level });
        }
        Ok(Self(level))
    }

    /// The number of this level.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn only_what_zstd_calls_a_level_is_one() {
        for number in 1..=22 {
            assert_eq!(Level::new(number).map(Level::number), Ok(number));
        }
        for number in [0, -5, 23, 100, i32::MIN, i32::MAX] {
            let refused = Level::new(number).unwrap_err().to_string();
            assert_eq!(
                refused,
                format!("a zstd level is from 1 to 22, not {number}")
            );
        }
    }
}
