//! The binary, as an administrator meets it.

use testbed::Binary;

const BINARY: Binary = Binary::new(env!("CARGO_BIN_EXE_summit"));

#[test]
fn help_says_what_it_is_and_takes() {
    insta::assert_snapshot!(BINARY.help());
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    insta::assert_snapshot!(BINARY.no_configuration("summit"));
}
