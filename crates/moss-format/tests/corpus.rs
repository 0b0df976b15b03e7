//! Everything binary in the corpus reads, and reads back as it was.

mod corpus {
    pub(crate) mod bundle;
    mod manifests;
    pub(crate) mod place;
    mod stones;
}
