use api::id::ImportId;
use moss_db::{Key, KeyError, Reader};

/// Stores an import's id as its sixteen bytes, which sort by age.
#[derive(Debug)]
pub(crate) struct ImportKey;

impl Key for ImportKey {
    type Item = ImportId;

    fn encode(item: &ImportId, out: &mut Vec<u8>) {
        <[u8; 16]>::encode(item.as_bytes(), out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<ImportId, KeyError> {
        <[u8; 16]>::decode(input).map(ImportId::from_bytes)
    }
}
