//! A home whose settings would change everything, and one that cannot be read. Both are set for a
//! process of its own, because libgit2 looks at its environment once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const HOSTILE: &str = "[init]\n\tdefaultBranch = hostile\n\ttemplateDir = /nowhere\n\
    [commit]\n\tgpgSign = true\n[core]\n\thooksPath = /nowhere\n\
    [url \"https://hostile.invalid/\"]\n\tinsteadOf = file://\n[user]\n\tname = Hostile\n";

/// Runs the other test of this executable in this home.
fn run_at_home(home: &Path) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "hostile::work",
            "--include-ignored",
            "--nocapture",
        ])
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"));
    command.output().unwrap()
}

fn check(home: &Path) {
    let output = run_at_home(home);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = plain_git::command()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Repositories made and read by libgit2 and by git.
#[test]
#[ignore = "run by the others, in a home of theirs"]
fn work() {
    plain_git::isolate();
    let folder = tempfile::tempdir().unwrap();
    let made = git2::Repository::init_bare(folder.path().join("made.git")).unwrap();
    let head = fs::read_to_string(folder.path().join("made.git/HEAD")).unwrap();
    assert_eq!(head, "ref: refs/heads/master\n");
    let config = made.config().unwrap();
    assert!(config.get_string("commit.gpgsign").is_err());
    assert!(config.get_string("user.name").is_err());

    let repository = folder.path().join("cloned");
    fs::create_dir(&repository).unwrap();
    git(&repository, &["init", "--quiet"]);
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "Begin"];
    git(&repository, &[&identity[..], &commit[..]].concat());
    let url = format!("file://{}", repository.display());
    git(folder.path(), &["clone", "--quiet", &url, "again"]);
    let head = git(&repository, &["symbolic-ref", "HEAD"]);
    assert_eq!(head, "refs/heads/master\n");
    let remote = made.remote_anonymous(&url).unwrap();
    assert_eq!(remote.url().unwrap(), url);
    git2::Repository::open(&repository).unwrap();
}

#[test]
fn the_settings_of_a_user_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(home.path().join(".gitconfig"), HOSTILE).unwrap();
    let xdg = home.path().join("config/git");
    fs::create_dir_all(&xdg).unwrap();
    fs::write(xdg.join("config"), HOSTILE).unwrap();
    check(home.path());
}

#[test]
fn a_home_that_cannot_be_read_is_no_hindrance() {
    let home = tempfile::tempdir().unwrap();
    // Root can read it, and would stumble over it.
    fs::write(home.path().join(".gitconfig"), "[broken").unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o000)).unwrap();
    check(home.path());
}
