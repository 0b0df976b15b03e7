//! From a push to what users can install.

use anyhow::{Context as _, ensure};
use forge::Conclusion::{Neutral, Success};
use harness::{Recipe, Setup, Stage};

/// A library that others find through pkg-config.
fn reed() -> Recipe {
    Recipe::new("reed").pkgconfig("reed")
}

/// A program that needs it.
fn flute() -> Recipe {
    Recipe::new("flute").uses_pkgconfig("reed").program("flute")
}

#[test]
fn a_push_builds_and_publishes_in_dependency_order() {
    Stage::play(Setup::default(), async |stage| {
        // The program comes first by name and in the tree, and must wait all the same.
        let head = stage.push(&[flute().file(), reed().file()]).await?;
        let runs = stage.succeeded(&head, &["flute", "reed"]).await?;

        for run in runs.values() {
            let statuses = stage.statuses(run).await?;
            ensure!(
                statuses == ["queued", "in_progress", "completed"],
                "{}: {statuses:?}",
                run.name
            );
        }
        ensure!(stage.created_runs() == 2, "one check run for each build");

        let orders = stage.orders();
        let recipes: Vec<_> = orders.iter().map(|order| &order["recipe"]).collect();
        ensure!(recipes == ["reed", "flute"], "{recipes:?}");
        let mut closure: Vec<_> = orders[1]["closure"]
            .as_array()
            .context("a closure")?
            .iter()
            .filter_map(|stone| stone["package"].as_str())
            .collect();
        closure.sort_unstable();
        // The -devel package that provides it, and the package that this one needs at run time.
        ensure!(closure == ["reed", "reed-devel"], "{closure:?}");

        let published = stage.published().await?;
        ensure!(
            published.names() == ["flute-1.0-1-1", "reed-1.0-1-1", "reed-devel-1.0-1-1"],
            "{:?}",
            published.names()
        );
        published.verify().await?;
        let mut histories = stage.histories().await?.into_iter().map(|made| made.id);
        ensure!(histories.next() == Some(stage.history_of(&runs["flute"]).await?));
        ensure!(histories.next() == Some(stage.history_of(&runs["reed"]).await?));
        ensure!(histories.next().is_none());

        let folder = stage.make_folder("unpacked")?;
        published.unpack("flute", &folder).await?;
        let played = std::process::Command::new(folder.join("usr/bin/flute")).output()?;
        ensure!(played.stdout == b"flute plays\n", "{played:?}");
        let log = stage.log_of(&runs["flute"]).await?;
        ensure!(log.contains("Version: 1.0"), "{log}");
        Ok(())
    });
}

#[test]
fn the_same_release_again_is_nothing_to_build() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[reed().file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        let second = stage
            .push(&[reed()
                .install("true # a change without a new release")
                .file()])
            .await?;
        let runs = stage.concluded(&second, &[("reed", Neutral)]).await?;
        let summary = runs["reed"].output.summary.as_deref().unwrap_or_default();
        ensure!(summary.contains("is published already"), "{summary}");
        ensure!(stage.orders().len() == 1, "nothing was built again");

        let third = stage.push(&[reed().release(2).file()]).await?;
        stage.concluded(&third, &[("reed", Success)]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-2-1", "reed-devel-1.0-2-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn a_library_that_was_built_before_comes_first_by_what_it_provides() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage.push(&[reed().file()]).await?;
        stage.succeeded(&first, &["reed"]).await?;
        // The channel has what the program needs, and yet it is to see what is pushed with it.
        let second = stage
            .push(&[reed().release(2).file(), flute().file()])
            .await?;
        let runs = stage.succeeded(&second, &["flute", "reed"]).await?;
        let (reed, flute) = (
            stage.build_of(&runs["reed"]).await?,
            stage.build_of(&runs["flute"]).await?,
        );
        ensure!(flute.after == [reed.id], "{:?}", flute.after);
        let closure = stage.orders()[2]["closure"].to_string();
        ensure!(closure.contains("reed-devel-1.0-2-1-x86_64"), "{closure}");
        Ok(())
    });
}
