//! The C library of this machine in a channel, over several starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::claims::Scope;
use moss_format::Meta;
use service::auth::{Peer, ServiceKey};
use service::client::Client;
use service::{Supervisor, listen};
use snekbook_dev::host_glibc::{self, Error, Glibc, LOADER, Place, Provided};
use url::Url;

/// A vessel of its own, and how it is asked.
struct Channel {
    folder: tempfile::TempDir,
    supervisor: Supervisor,
    vessel: Client,
    index: Url,
}

impl Channel {
    async fn open() -> Self {
        service::install_tls_provider();
        let folder = tempfile::tempdir().unwrap();
        let supervisor = Supervisor::new();
        let key = folder.path().join("key.pem");
        let key = ServiceKey::load_or_create("snekbook-dev".parse().unwrap(), &key).unwrap();
        let channel = vessel::config::Channel {
            name: "main".parse().unwrap(),
            architectures: vec!["x86_64".parse().unwrap()],
        };
        let peer = Peer {
            name: key.name().clone(),
            public_key: *key.public(),
            scopes: vec![Scope::Imports],
        };
        let listen = listen::Config::loopback();
        let data = folder.path().join("vessel");
        let config = vessel::Config::new(data, listen, vec![channel], vec![peer]);
        let running = vessel::start(config, &supervisor).await.unwrap();
        let control = format!("http://{}/", running.address).parse().unwrap();
        let index = running
            .public_url
            .join("main/stream/volatile/x86_64/stone.index");
        Self {
            folder,
            vessel: Client::new(key, "vessel".parse().unwrap(), control),
            index: index.unwrap(),
            supervisor,
        }
    }

    async fn provide(&self, loader: &Path) -> Result<Provided, Error> {
        let place = Place {
            index: &self.index,
            vessel: &self.vessel,
            folder: self.folder.path().join("host-glibc"),
            loader: loader.to_owned(),
        };
        host_glibc::provide(&place, &self.supervisor).await
    }

    async fn packages(&self) -> Vec<Meta> {
        moss_root::read_index(&self.index).await.unwrap()
    }
}

/// A copy of the machine's glibc that says it is another release; gives its loader.
fn newer(folder: &Path) -> PathBuf {
    let glibc = Glibc::find(Path::new(LOADER)).unwrap();
    for (name, path) in &glibc.files {
        let mut bytes = std::fs::read(path).unwrap();
        if name == "libc.so.6" {
            let banner = format!("release version {}", glibc.version);
            let found = bytes
                .windows(banner.len())
                .position(|at| at == banner.as_bytes());
            let end = found.unwrap() + banner.len();
            bytes[end - 1] = if bytes[end - 1] == b'9' { b'8' } else { b'9' };
        }
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    folder.join(Path::new(LOADER).file_name().unwrap())
}

#[tokio::test]
async fn the_same_library_is_imported_once_and_another_one_as_a_higher_release() {
    let channel = Channel::open().await;
    let first = channel.provide(Path::new(LOADER)).await.unwrap();
    assert!(matches!(first, Provided::Imported(_)), "{first:?}");
    let packages = channel.packages().await;
    let [meta] = &packages[..] else {
        panic!("{packages:?}");
    };
    assert_eq!((meta.name.as_str(), meta.release), ("host-glibc", 1));
    assert!(!channel.folder.path().join("host-glibc").exists());
    let again = channel.provide(Path::new(LOADER)).await.unwrap();
    assert!(matches!(again, Provided::Present(_)), "{again:?}");
    assert_eq!(channel.packages().await, packages);

    let other = channel.folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let other = newer(&other);
    let imported = channel.provide(&other).await.unwrap();
    assert!(matches!(imported, Provided::Imported(_)), "{imported:?}");
    let packages = channel.packages().await;
    assert_eq!((packages.len(), packages[0].release), (1, 2));
    let again = channel.provide(&other).await.unwrap();
    assert!(matches!(again, Provided::Present(_)), "{again:?}");

    let nowhere = channel.folder.path().join("nowhere");
    let error = channel.provide(&nowhere).await.unwrap_err();
    assert!(matches!(error, Error::Find(_)), "{error}");
    channel.supervisor.shutdown(Duration::from_secs(20)).await;
}
