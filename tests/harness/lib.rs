//! What the suite stands on.

pub mod openapi;
