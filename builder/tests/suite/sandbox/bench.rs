//! A sandbox on this machine, for scripts of tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use avalanche::helper::{Helper, Identity};
use avalanche::log::Log;
use avalanche::sandbox::limits::Limits;
use avalanche::sandbox::root::{self, HostPaths};
use avalanche::sandbox::spec::{Entry, Network, Run, Spec};
use avalanche::sandbox::{CONTROL, Error, Outcome, Sandbox};
use tokio_util::sync::CancellationToken;

/// The uid that tests step down to when they run as root.
const TEST_ID: u32 = 64_900;

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    helper: Helper,
    pub(crate) sandbox: Sandbox,
    pub(crate) log: Log,
}

impl Bench {
    pub(crate) fn new() -> Self {
        testbed::machine::require();
        let folder = tempfile::tempdir().unwrap();
        let identity = if rustix::process::getuid().is_root() {
            Identity::Dropped { id: TEST_ID }
        } else {
            Identity::Own
        };
        for name in ["root", "stones", "work", "control"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let log = Log::create(&folder.path().join("log"), 1 << 20).unwrap();
        let helper = Helper::new(PathBuf::from(env!("CARGO_BIN_EXE_avalanche")), identity);
        let sandbox = Sandbox::new(helper.clone());
        Self {
            folder,
            helper,
            sandbox,
            log,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn spec(&self, script: &str, network: Network) -> Spec {
        std::fs::write(self.path("work/script"), script).unwrap();
        if let Identity::Dropped { id } = self.helper.identity() {
            use std::os::unix::fs::{PermissionsExt as _, chown};
            std::fs::set_permissions(self.folder.path(), std::fs::Permissions::from_mode(0o755))
                .unwrap();
            for name in ["root", "work", "control"] {
                chown(self.path(name), Some(id), Some(id)).unwrap();
            }
        }
        let paths = HostPaths {
            always: [
                "/usr",
                "/bin",
                "/sbin",
                "/lib",
                "/lib64",
                "/etc/alternatives",
            ]
            .map(PathBuf::from)
            .to_vec(),
            networking: Vec::new(),
            tcp_ports: Vec::new(),
        };
        let mut entries = root::entries(&paths, &self.path("stones"), network).unwrap();
        entries.push(Entry::Writable {
            host: self.path("work"),
            inside: "/work".to_owned(),
        });
        entries.push(Entry::Writable {
            host: self.path("control"),
            inside: CONTROL.to_owned(),
        });
        Spec {
            root: self.path("root"),
            entries,
            network,
            tcp_ports: Vec::new(),
            run: Run::Script {
                path: "/work/script".to_owned(),
            },
            folder: "/work".to_owned(),
            environment: BTreeMap::from([
                ("PATH".to_owned(), "/usr/bin:/bin:/usr/sbin".to_owned()),
                ("GREETING".to_owned(), "hello".to_owned()),
            ]),
            limits: limits(),
        }
    }

    pub(crate) async fn run(&self, script: &str) -> Outcome {
        self.run_spec(&self.spec(script, Network::Loopback))
            .await
            .unwrap()
    }

    pub(crate) async fn run_spec(&self, spec: &Spec) -> Result<Outcome, Error> {
        let stop = CancellationToken::new();
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, self.sandbox.run(spec, &self.log, &stop))
            .await
            .expect("the script ends within a minute")
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }
}

/// More than any script of a test needs that is not about limits.
fn limits() -> Limits {
    Limits {
        processes: 512,
        memory_bytes: 4 << 30,
        disk_bytes: 4 << 30,
        file_bytes: 2 << 30,
        open_files: 1024,
        address_space_bytes: None,
    }
}
