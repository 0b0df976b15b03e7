//! Real packages.

use std::path::PathBuf;

use super::stage::Stage;
use super::stones::order;

const STONES: [&str; 2] = [
    "nano-8.3-33-1-x86_64.stone",
    "nano-dbginfo-8.3-33-1-x86_64.stone",
];

/// The folder of real packages, where the corpus is at hand.
fn corpus() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the corpus is found through the environment"
    )]
    let Ok(folder) = std::env::var("SNEKBOOK_CORPUS") else {
        eprintln!("skipped: SNEKBOOK_CORPUS is unset");
        return None;
    };
    Some(PathBuf::from(folder).join("stones"))
}

#[tokio::test(flavor = "multi_thread")]
async fn real_stones_are_published() {
    let Some(folder) = corpus() else { return };
    let stage = Stage::new().await;
    let stones = STONES.map(|name| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        stage.builder.offer(name, &bytes)
    });
    stage.publish(&order("nano", stones.clone())).await;
    let index = stage.volatile().await;
    assert_eq!(stage.packages().await, ["nano-33-1", "nano-dbginfo-33-1"]);
    for (stone, found) in stones.iter().zip(&index.packages) {
        assert_eq!(found.hash, Some(stone.sha256.to_string()));
        assert_eq!(found.size, Some(stone.size));
        let url = stage.url("main/stream/volatile/x86_64/stone.index");
        let url = url.join(found.uri.as_deref().unwrap()).unwrap();
        let fetched = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        assert_eq!(api::id::Sha256::of(&fetched), stone.sha256);
        // What the index says is what the stone says of itself, and where it is.
        let stone = moss_format::package::Package::open(std::io::Cursor::new(fetched)).unwrap();
        let own = moss_format::Meta {
            uri: None,
            hash: None,
            size: None,
            ..found.clone()
        };
        assert_eq!(&own, stone.meta());
    }
}
