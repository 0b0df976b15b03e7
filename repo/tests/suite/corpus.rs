//! Real packages.

use super::stage::Stage;
use super::stones::order;

const STONES: [&str; 2] = [
    "nano-8.3-33-1-x86_64.stone",
    "nano-dbginfo-8.3-33-1-x86_64.stone",
];

#[tokio::test(flavor = "multi_thread")]
async fn real_stones_are_published() {
    let Some(corpus) = testbed::corpus::find() else {
        return;
    };
    let folder = corpus.join("stones");
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
