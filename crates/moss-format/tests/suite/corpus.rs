//! Everything binary in the corpus reads, and reads back as it was.

mod bundle;
mod history;
mod manifests;
mod stones;
