//! Where the corpus lies.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// The corpus, unless the environment names none: then the test is skipped.
pub(crate) fn find() -> Result<Option<PathBuf>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests take the place of the corpus from the environment"
    )]
    let Ok(folder) = std::env::var("SNEKBOOK_CORPUS") else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: SNEKBOOK_CORPUS is unset");
        }
        return Ok(None);
    };
    let folder = PathBuf::from(folder);
    ensure!(
        folder.is_dir(),
        "SNEKBOOK_CORPUS is set, but there is no folder {}",
        folder.display()
    );
    Ok(Some(folder))
}
