//! What summit forgets, and what it says of it.

use anyhow::{Context as _, ensure};
use forge::Conclusion::Failure;
use harness::{Recipe, Setup, Stage};
use summit::config::Retention;

#[test]
fn old_logs_go_and_their_builds_say_so() {
    let setup = Setup {
        retention: Retention {
            log_days: 0,
            ..Retention::default()
        },
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let broken = Recipe::new("reed").build("echo squeak; false");
        let first = stage.push(&[broken.file()]).await?;
        let old = stage.concluded(&first, &[("reed", Failure)]).await?;
        let second = stage.push(&[Recipe::new("reed").file()]).await?;
        let new = stage.succeeded(&second, &["reed"]).await?;
        let old = old["reed"].external_id.clone().context("a build")?;
        let (status, log) = stage.get(&format!("builds/{old}/log")).await?;
        ensure!(status == 200 && log.contains("squeak"), "{status}: {log}");

        // It forgets when it starts, and once a day.
        stage.summit.stop().await?;
        stage.summit.start().await?;
        let kept = stage.data("summit").join("logs");
        stage
            .until("the end of the old log", async |_| {
                let count = std::fs::read_dir(&kept)?.count();
                Ok((count == 1).then_some(()))
            })
            .await?;
        for path in [format!("builds/{old}/log"), format!("attempts/{old}.1/log")] {
            let (status, said) = stage.get(&path).await?;
            ensure!(status == 410, "{status}: {said}");
            ensure!(
                said.contains("\"gone\"") && said.contains("was removed at"),
                "{said}"
            );
        }
        let (_, page) = stage.get(&format!("builds/{old}")).await?;
        ensure!(page.contains("removed at"), "{page}");
        let (_, json) = stage.get(&format!("api/v1/builds/{old}")).await?;
        let json: serde_json::Value = serde_json::from_str(&json)?;
        ensure!(json["logs_removed_at"].is_string(), "{json}");
        let whole = stage.log_of(&new["reed"]).await?;
        ensure!(!whole.is_empty(), "the present one is kept");
        Ok(())
    });
}
