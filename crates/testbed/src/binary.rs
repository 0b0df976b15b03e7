//! A binary as the people meet it who start it.

use std::process::{Command, Output};

/// A binary of the crate under test: `Binary::new(env!("CARGO_BIN_EXE_name"))`.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    path: &'static str,
}

impl Binary {
    /// The binary at `path`.
    pub const fn new(path: &'static str) -> Self {
        Self { path }
    }

    /// What `--help` prints.
    ///
    /// # Panics
    /// When that is not a success, or not on the standard output.
    pub fn help(&self) -> String {
        let output = self.run(&["--help"], None);
        assert!(output.status.success(), "{}", output.status);
        text(output.stdout)
    }

    /// What a service says where its configuration is not there: the same, whether the option names
    /// it or the variable that is called after the service; and the option wins.
    ///
    /// # Panics
    /// When it is not the same, or when the service starts, ends in another way than by status 1, or
    /// writes to the standard output.
    pub fn no_configuration(&self, service: &str) -> String {
        let path = format!("/nowhere/{service}.toml");
        let variable = format!("{}_CONFIG", service.to_uppercase());
        let by_option = self.refusal(&["--config", &path], (&variable, "/elsewhere"));
        let by_variable = self.refusal(&[], (&variable, &path));
        assert_eq!(by_option, by_variable);
        by_option
    }

    fn refusal(&self, arguments: &[&str], variable: (&str, &str)) -> String {
        let output = self.run(arguments, Some(variable));
        let said = text(output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty(), "what is said is no data");
        said
    }

    fn run(&self, arguments: &[&str], variable: Option<(&str, &str)>) -> Output {
        Command::new(self.path)
            .args(arguments)
            .env("RUST_BACKTRACE", "0")
            .envs(variable)
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.path))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what people read is UTF-8")
}
