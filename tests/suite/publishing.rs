//! From a push to what users can install.

use std::num::NonZeroU16;

use anyhow::{Context as _, Result, ensure};
use forge::Conclusion::{Cancelled, Neutral, Success};
use forge::{Point, Sha};
use harness::stage::LIMIT;
use harness::{Recipe, Setup, Stage};

/// A library that others find through pkg-config.
fn reed() -> Recipe {
    Recipe::new("reed").pkgconfig("reed")
}

/// A program that needs it.
fn flute() -> Recipe {
    Recipe::new("flute").uses_pkgconfig("reed").program("flute")
}

/// Waits until a check run has that status.
async fn shown(stage: &mut Stage, head: &Sha, recipe: &str, status: &str) -> Result<()> {
    stage
        .until(&format!("{recipe} {status}"), async |stage| {
            let runs = stage.runs_on(head);
            let run = runs.get(recipe);
            Ok(run.filter(|run| run.status.word() == status).map(drop))
        })
        .await
}

#[test]
fn a_push_builds_and_publishes_in_dependency_order() {
    Stage::play(Setup::default(), async |stage| {
        // What is over before it was shown is shown as over: each goes on when it was seen.
        let pause = stage
            .avalanche
            .pause(Point::rest("PUT", "/api/v1/attempts/*"));
        let gates = ["reed", "flute"].map(|name| (name, stage.gate(name)));
        let [(_, at_reed), (_, at_flute)] = &gates;
        let files = [
            flute().build(&at_flute.wait()).file(),
            reed().build(&at_reed.wait()).file(),
        ];
        // The program comes first by name and in the tree, and must wait all the same.
        let head = stage.push(&files).await?;
        for name in ["reed", "flute"] {
            shown(stage, &head, name, "queued").await?;
        }
        pause.resume();
        for (name, gate) in &gates {
            shown(stage, &head, name, "in_progress").await?;
            gate.open()?;
        }
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

#[test]
fn a_log_can_be_read_while_it_grows() {
    Stage::play(Setup::default(), async |stage| {
        let gate = stage.gate("reed");
        let script = format!("echo 'carving has begun'\n{}\necho done", gate.wait());
        let slow = Recipe::new("reed").build(&script);
        let head = stage.push(&[slow.file()]).await?;
        let early = stage
            .until("the beginning of the log", async |stage| {
                let runs = stage.runs_on(&head);
                let Some(run) = runs.get("reed") else {
                    return Ok(None);
                };
                let log = stage.log_of(run).await.unwrap_or_default();
                Ok(log.contains("\ncarving has begun\n").then_some(log))
            })
            .await?;
        ensure!(!early.contains("\ndone\n"), "the build is at work: {early}");
        gate.open()?;
        let runs = stage.succeeded(&head, &["reed"]).await?;
        let whole = stage.log_of(&runs["reed"]).await?;
        ensure!(
            whole.starts_with(&early) && whole.contains("\ndone\n"),
            "{whole}"
        );
        Ok(())
    });
}

#[test]
fn each_slot_of_a_builder_is_used_and_no_more() {
    let setup = Setup {
        slots: const { NonZeroU16::new(2).expect("2 is not 0") },
        ..Setup::default()
    };
    Stage::play(setup, async |stage| {
        let gate = stage.gate("all");
        let slow = |name| Recipe::new(name).build(&gate.wait()).file();
        let head = stage
            .push(&[slow("drum"), slow("horn"), slow("reed")])
            .await?;
        stage
            .until("two builds at work and one that waits", async |stage| {
                let at_work = stage.attempts().await?.len();
                ensure!(at_work <= 2, "more than there are slots");
                let standstill = stage.summit_status().await?.standstill;
                let waits = standstill
                    .values()
                    .any(|known| known.reason == "every slot of every builder is taken");
                Ok((at_work == 2 && waits).then_some(()))
            })
            .await?;
        gate.open()?;
        stage.succeeded(&head, &["drum", "horn", "reed"]).await?;
        Ok(())
    });
}

#[test]
fn a_newer_commit_counts_when_a_builder_loses_what_is_being_published() {
    Stage::play(Setup::default(), async |stage| {
        let pause = stage.vessel.pause(Point::rest("PUT", "/api/v1/imports/*"));
        let older = stage.push(&[reed().file()]).await?;
        pause.held(LIMIT).await.context("no import was ordered")?;
        let newer = stage.push(&[reed().release(2).file()]).await?;
        stage
            .until("the newer build", async |stage| {
                Ok(stage.runs_on(&newer).contains_key("reed").then_some(()))
            })
            .await?;
        let build = stage.build_of(&stage.runs_on(&older)["reed"]).await?;
        let attempt = build.find_attempt().context("it is built")?.to_string();
        std::fs::remove_dir_all(stage.data("avalanche").join("assets").join(attempt))?;
        pause.resume();

        let runs = stage.concluded(&older, &[("reed", Cancelled)]).await?;
        let summary = runs["reed"].output.summary.as_deref().unwrap_or_default();
        ensure!(summary.contains("A newer build"), "{summary}");
        ensure!(summary.contains("lost on avalanche"), "{summary}");
        stage.succeeded(&newer, &["reed"]).await?;
        ensure!(
            stage.orders().len() == 2,
            "the older one is not built again"
        );
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-2-1", "reed-devel-1.0-2-1"], "{names:?}");
        Ok(())
    });
}
