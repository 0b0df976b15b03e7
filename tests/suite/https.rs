//! A forge behind TLS, with a certificate of an authority that only the test knows.

use anyhow::ensure;
use forge::Conclusion::Cancelled;
use harness::{File, Https, Recipe, Setup, Stage};

#[test]
fn cloning_over_https_with_an_authority_of_ones_own_works() {
    let setup = Setup {
        https: Some(Https::Trusted),
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        ensure!(stage.forge.url().starts_with("https://"));
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&head, &["reed"]).await?;
        let clone_url = stage.orders()[0]["clone_url"].to_string();
        ensure!(clone_url.starts_with("\"https://"), "{clone_url}");
        Ok(())
    });
}

#[test]
fn an_authority_that_the_builder_does_not_trust_is_named_as_the_cause() {
    let setup = Setup {
        https: Some(Https::UntrustedByBuilder),
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let reed = Recipe::new("reed").file();
        let head = stage.push(std::slice::from_ref(&reed)).await?;
        let said = stage
            .until("an attempt that was lost", async |stage| {
                let runs = stage.runs_on(&head);
                let summary = runs.get("reed").and_then(|run| run.output.summary.clone());
                Ok(summary.filter(|summary| summary.contains("lost")))
            })
            .await?;
        ensure!(
            said.contains("invalid peer certificate") && said.contains("refs/heads/main"),
            "{said}"
        );
        ensure!(stage.published().await?.names().is_empty());
        // It would be tried again for a while; a recipe that is gone is not.
        let readme = File::new("README.md", "Nothing is left.");
        let empty = stage.push(&[File::removed(reed.path()), readme]).await?;
        stage.concluded(&head, &[("reed", Cancelled)]).await?;
        ensure!(stage.runs_on(&empty).is_empty());
        Ok(())
    });
}
