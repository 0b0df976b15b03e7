//! Room on the disk: a builder that lacks it takes no orders.

use std::time::Duration;

use api::host::NoOrders;
use tokio::time::Instant;

use super::super::fetch::Cache;
use super::Engine;

/// How long between two times at which the cache of a full disk is emptied. Everybody who asks for the
/// status would else read the whole cache.
const PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Why no order is taken and no attempt begun now. On a full disk, what attempts may need again
    /// goes first.
    pub async fn make_room(&self) -> Option<NoOrders> {
        let parts = &self.inner.parts;
        parts.floor.find_lack()?;
        let mut emptied_at = self.inner.emptied_at.lock().await;
        if emptied_at.is_none_or(|at| at.elapsed() >= PAUSE) {
            let (cache, now) = (parts.cache.clone(), parts.clock.now());
            let pruned =
                tokio::task::spawn_blocking(move || cache.prune_to(now, Cache::IN_USE)).await;
            if let Ok(Err(error)) = pruned {
                tracing::warn!(%error, "cannot prune the cache of a full disk");
            }
            *emptied_at = Some(Instant::now());
            tracing::warn!(
                disk.free = parts.floor.free(),
                "the disk is full; the cache was emptied"
            );
        }
        drop(emptied_at);
        parts.floor.find_lack()
    }
}
