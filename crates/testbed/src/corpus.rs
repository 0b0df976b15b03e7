//! Real recipes, archives, packages and manifests.

use std::path::PathBuf;

/// The variable of the environment that says where they lie.
pub const VARIABLE: &str = "SNEKBOOK_CORPUS";

/// The folder of the corpus: the one that the environment names, else `shared/corpus` beside the
/// checkout. None, and a line that says so, where there is neither.
///
/// # Panics
/// When the environment names a folder that is not there: a test must not pass by a misspelt path.
pub fn find() -> Option<PathBuf> {
    let folder = crate::skip::find_path(VARIABLE, "corpus")?;
    assert!(
        folder.is_dir(),
        "{VARIABLE} is set, but there is no folder {}",
        folder.display()
    );
    Some(folder)
}
