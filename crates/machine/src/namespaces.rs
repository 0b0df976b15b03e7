//! User namespaces, in which builds run. They are made once for a try: what refuses them may be the
//! kernel, a security module or a container, and none of them can be asked. The settings are read
//! only to say which of them is in the way.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::ask::{Unheard, ask};
use crate::need::{Missing, Remedy};

/// The user that tries in the place of root: builds do not run as root either.
const NOBODY: u32 = 65_534;

/// Settings that forbid user namespaces: the file, the value that forbids, and what to set.
const SETTINGS: [(&str, &str, &str); 3] = [
    (
        "user/max_user_namespaces",
        "0",
        "user.max_user_namespaces=15000",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "kernel.unprivileged_userns_clone=1",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

/// User namespaces, where this machine refuses them.
pub(crate) fn missing() -> Option<Missing> {
    refusal("unshare", Path::new("/proc/sys"))
}

/// Tries with `program`, which is util-linux's `unshare`; `settings` is the folder of the kernel's.
pub(crate) fn refusal(program: &str, settings: &Path) -> Option<Missing> {
    let mut command = Command::new(program);
    command
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork"])
        .arg("true")
        .current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let said = match ask(&mut command) {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        // The line itself does without this program: avalanche makes the same try at its start.
        Err(Unheard::Absent) => return None,
        Err(error @ (Unheard::Start(_) | Unheard::Late { .. } | Unheard::Words(_))) => {
            return Some(Missing {
                what: format!("a try of user namespaces, in which builds run ({program}: {error})"),
                remedy: Remedy::Change(format!("see why `{program}` cannot be run")),
            });
        }
    };
    Some(Missing {
        what: format!("user namespaces, in which builds run ({said})"),
        remedy: Remedy::Change(change(settings)),
    })
}

/// What to change, as far as the settings say.
fn change(settings: &Path) -> String {
    let forbidding: Vec<&str> = SETTINGS
        .iter()
        .filter(|(file, forbids, _)| {
            std::fs::read_to_string(settings.join(file)).is_ok_and(|value| value.trim() == *forbids)
        })
        .map(|(.., set)| *set)
        .collect();
    if forbidding.is_empty() {
        return "no kernel setting forbids them, so it is what this runs in: let the container make \
                them (for Docker and Podman: --security-opt seccomp=unconfined --security-opt \
                unmask=/proc/*), or run outside of it"
            .to_owned();
    }
    format!("set, as root: sysctl -w {}", forbidding.join(" "))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    /// A program that refuses, and a folder of settings with these values.
    fn machine(values: &[(&str, &str)]) -> (tempfile::TempDir, String, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        let program = folder.path().join("unshare");
        testbed::program::write(
            &program,
            "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n",
        );
        let settings = folder.path().join("sys");
        for (file, value) in values {
            let path = settings.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        (folder, program.to_str().unwrap().to_owned(), settings)
    }

    #[test]
    fn the_setting_in_the_way_is_named() {
        let allowed = [
            ("user/max_user_namespaces", "63000"),
            ("kernel/unprivileged_userns_clone", "1"),
        ];
        for (file, value, wanted) in [
            (
                "user/max_user_namespaces",
                "0",
                "user.max_user_namespaces=15000",
            ),
            (
                "kernel/unprivileged_userns_clone",
                "0",
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                "kernel/apparmor_restrict_unprivileged_userns",
                "1",
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ] {
            let mut values = allowed.to_vec();
            values.retain(|(other, _)| *other != file);
            values.push((file, value));
            let (_folder, program, settings) = machine(&values);
            let missing = refusal(&program, &settings).unwrap();
            let Remedy::Change(change) = missing.remedy else {
                panic!("nothing is to be installed")
            };
            assert_eq!(change, format!("set, as root: sysctl -w {wanted}"));
        }
    }

    #[test]
    fn a_refusal_that_no_setting_explains_is_the_containers() {
        let (_folder, program, settings) = machine(&[("user/max_user_namespaces", "63000")]);
        insta::assert_snapshot!(crate::Unmet(vec![refusal(&program, &settings).unwrap()]));
    }

    /// Nothing is known of namespaces then, so no setting is blamed.
    #[test]
    fn a_try_that_cannot_be_started_is_told_as_that() {
        let (_folder, program, settings) = machine(&[("user/max_user_namespaces", "0")]);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
        let missing = refusal(&program, &settings).unwrap();
        assert!(missing.what.contains("cannot be started"), "{missing:?}");
        let Remedy::Change(change) = missing.remedy else {
            panic!("nothing is to be installed")
        };
        assert_eq!(change, format!("see why `{program}` cannot be run"));
    }

    #[test]
    fn a_try_that_succeeds_or_cannot_be_made_lacks_nothing() {
        let nowhere = Path::new("/nowhere");
        assert_eq!(refusal("true", nowhere), None);
        assert_eq!(refusal("/nowhere/unshare", nowhere), None);
    }
}
