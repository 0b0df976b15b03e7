//! Everything binary in the corpus reads, and reads back as it was.

mod corpus {
    pub(crate) mod bundle;
    pub(crate) mod history;
    mod manifests;
    mod stones;
}
