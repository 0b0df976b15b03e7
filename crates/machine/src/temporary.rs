//! The folder for temporary files.

use std::path::Path;

use crate::need::{Missing, Remedy};

/// The folder for temporary files, where none can be made in it.
pub(crate) fn missing(folder: &Path) -> Option<Missing> {
    let error = tempfile::tempfile_in(folder).err()?;
    // The file has a name of its own in the error; the cause is enough beside the folder's.
    let inner = error.get_ref().and_then(|error| error.source());
    let cause = inner.map_or_else(|| error.to_string(), ToString::to_string);
    Some(Missing {
        what: format!(
            "a folder for temporary files: {} cannot be used ({cause})",
            folder.display()
        ),
        remedy: Remedy::Change(
            "make it and let this user write there, or set TMPDIR to a folder that is so"
                .to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_or_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(missing(folder.path()), None);
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for wrong in [folder.path().join("missing"), file] {
            let said = crate::Unmet(vec![missing(&wrong).unwrap()]).to_string();
            assert!(said.contains(wrong.to_str().unwrap()), "{said}");
            assert!(said.contains("TMPDIR"), "{said}");
            assert!(!said.contains("install"), "{said}");
        }
    }
}
