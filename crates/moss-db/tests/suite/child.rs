//! Starting this executable anew for one test, which others do not run: it is ignored, and does
//! nothing where it is not told its folder.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "MOSS_DB_CHILD_FOLDER";
const ARGUMENTS: &str = "MOSS_DB_CHILD_ARGUMENTS";

/// Has `command` run `test` on `folder`. A wrapper such as strace takes the executable and its
/// arguments as its own last ones.
pub(crate) fn start(mut command: Command, test: &str, folder: &Path, arguments: &[u64]) -> Command {
    let arguments: Vec<_> = arguments.iter().map(u64::to_string).collect();
    command
        .args([
            test,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder)
        .env(ARGUMENTS, arguments.join(" "));
    command
}

/// This executable.
pub(crate) fn executable() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// This executable as the last argument of a wrapper.
pub(crate) fn wrapped(program: impl AsRef<OsStr>, options: &[&OsStr]) -> Command {
    let mut command = Command::new(program);
    command.args(options).arg(executable());
    command
}

/// What [`start`] was given; none where somebody runs all ignored tests.
pub(crate) fn task<const N: usize>() -> Option<(PathBuf, [u64; N])> {
    let folder = std::env::var_os(FOLDER)?.into();
    let arguments = std::env::var_os(ARGUMENTS)?.into_string().unwrap();
    let arguments = arguments.split(' ').map(|number| number.parse().unwrap());
    Some((folder, arguments.collect::<Vec<_>>().try_into().unwrap()))
}

/// Tells the parent a line, in one call: past the test runner, and nothing of it is kept back.
pub(crate) fn tell(line: &str) {
    let mut line = line.to_owned();
    line.push('\n');
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
