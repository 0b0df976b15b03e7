//! Tests of moss-deps on a real distribution.

#[cfg(test)]
mod corpus;
