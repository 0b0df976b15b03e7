//! Repositories of which GitHub says that they are gone.
//!
//! When a repository goes, its builds end and its names are free for others, and nothing brings that
//! back. One or few at a time are an ordinary thing. Many at once are rather a fault: of GitHub, of the
//! App's permissions, or of the configuration. Then an operator decides.

/// How many repositories may go at once without a word of an operator.
pub const FEW: usize = 3;

/// True when repositories that went wait for an operator's word: they are more than a few, or all of
/// several, or others wait already. `gone` are all that are gone, with `waiting` among them; `seen`
/// are all that were there before.
pub fn needs_word(gone: usize, waiting: usize, seen: usize) -> bool {
    let is_all = gone > 1 && gone >= seen;
    gone > FEW || is_all || waiting > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_few_go_without_a_word() {
        assert!(!needs_word(0, 0, 0));
        assert!(
            !needs_word(1, 0, 1),
            "an organisation may have one repository"
        );
        assert!(!needs_word(3, 0, 9));
        assert!(needs_word(4, 0, 9));
        assert!(needs_word(2, 0, 2), "all are gone");
        assert!(
            needs_word(1, 1, 9),
            "others came back, which makes it no surer"
        );
    }
}
