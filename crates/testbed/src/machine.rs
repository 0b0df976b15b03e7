//! The machine that tests run on.

use std::sync::LazyLock;

/// Looked at once for a test executable.
static LACK: LazyLock<Option<String>> = LazyLock::new(|| {
    let unmet = machine::check().err()?;
    let text = unmet.to_string();
    // At once, and not only among the failures at the end.
    crate::skip::say(&format!("error: {text}"));
    Some(text)
});

/// Fails the test where the machine lacks something that builds, the sandbox or the forge need, and
/// says what to install or to set: better than the strange ways in which tests fail without it.
///
/// # Panics
/// When something is missing.
pub fn require() {
    if let Some(text) = LACK.as_deref() {
        panic!("{text}");
    }
}
