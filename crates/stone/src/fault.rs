//! What a fault of this program comes to: a sentence that says so, and the exit code 2.

use std::io::{self, Write as _};
use std::panic::{self, Location, PanicHookInfo};
use std::process::ExitCode;

use crate::printable;

/// The exit code for what is not the input's fault.
const OURS: u8 = 2;

/// Has panics told in a sentence that is safe for a terminal: what it quotes may come from a file.
pub(crate) fn speak_plainly() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let text = describe(info.payload_as_str(), info.location());
        // Where nobody listens to what is said, nobody misses it.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }));
}

/// Does the work. A panic in it is a fault of this program, and says nothing about the input.
pub(crate) fn guard(work: fn() -> ExitCode) -> ExitCode {
    panic::catch_unwind(work).unwrap_or(ExitCode::from(OURS))
}

fn describe(message: Option<&str>, location: Option<&Location<'_>>) -> String {
    let at = location.map_or(String::new(), |location| format!(" at {location}"));
    let message = message.unwrap_or("without a word");
    let text = format!(
        "error: this is a fault of stone itself, not of what it was given; please report it: \
         {message}{at}"
    );
    printable::line(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_is_no_error_of_the_input() {
        let code = |work| format!("{:?}", guard(work));
        let is = |number: u8| format!("{:?}", ExitCode::from(number));
        assert_eq!(code(|| panic!("on purpose")), is(2));
        assert_eq!(code(|| panic::panic_any(7)), is(2));
        assert_eq!(code(|| ExitCode::from(1)), is(1));
        assert_eq!(code(|| ExitCode::SUCCESS), is(0));
        assert_ne!(is(1), is(2));
    }

    #[test]
    fn a_fault_is_told_in_a_safe_sentence() {
        let told = describe(Some("no \u{1b}[2J\nthing"), Some(Location::caller()));
        assert!(
            told.starts_with("error: this is a fault of stone itself"),
            "{told}"
        );
        assert!(told.contains("src/fault.rs:"), "{told}");
        assert!(!told.contains(char::is_control), "{told}");
        assert!(describe(None, None).ends_with("without a word"));
    }
}
