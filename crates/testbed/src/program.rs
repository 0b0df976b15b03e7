//! Programs that tests write and then run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script that can be run.
///
/// Another process writes it. If this one did, a test beside it could just start a process, which then
/// holds the file open for writing until it runs its own program; until then the script is refused as
/// busy.
///
/// # Panics
/// When the file cannot be written.
pub fn write(path: &Path, script: &str) {
    let mut child = Command::new("/bin/sh")
        .args(["-c", r#"cat > "$0" && chmod 755 "$0""#])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut input = child.stdin.take().expect("it is piped");
    input
        .write_all(script.as_bytes())
        .expect("the shell reads all of it");
    drop(input);
    let status = child.wait().expect("the shell ends");
    assert!(status.success(), "{} cannot be written", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's a \"program\"");
        write(&path, "#!/bin/sh\necho \"$1\"\n");
        let output = Command::new(&path).arg("said").output().unwrap();
        assert_eq!(output.stdout, b"said\n");
    }
}
