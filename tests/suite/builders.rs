//! Several builders: who gets what, and what becomes of the work of one that dies.

use anyhow::{Context as _, Result, ensure};
use forge::Conclusion::{Failure, Success};
use forge::{CheckRun, Point, Sha};
use harness::stage::LIMIT;
use harness::{Builders, Recipe, Setup, Stage};
use summit::domain::build::{Progress, State};

fn two() -> Setup {
    Setup {
        builders: Builders::Two,
        ..Setup::default()
    }
}

/// Two builders, and a lease after which nobody waits long for a dead one.
fn mortal() -> Setup {
    Setup {
        lease_seconds: 10,
        ..two()
    }
}

fn summary(run: &CheckRun) -> String {
    run.output.summary.clone().unwrap_or_default()
}

/// Waits until the check run of a recipe says all of `words`.
async fn says(stage: &mut Stage, head: &Sha, recipe: &str, words: &[&str]) -> Result<()> {
    let what = format!("that the check run of {recipe} says {words:?}");
    stage
        .until(&what, async |stage| {
            let runs = stage.runs_on(head);
            let said = runs.get(recipe).map(summary).unwrap_or_default();
            Ok(words.iter().all(|word| said.contains(word)).then_some(()))
        })
        .await
}

/// Waits until a builder is at work on a recipe.
async fn at_work(stage: &mut Stage, head: &Sha, recipe: &str, wanted: &str) -> Result<()> {
    let what = format!("{wanted} at work on {recipe}");
    stage
        .until(&what, async |stage| {
            let runs = stage.runs_on(head);
            let Some(run) = runs.get(recipe) else {
                return Ok(None);
            };
            let State::Building {
                builder,
                progress: Progress::Running { .. },
                ..
            } = stage.build_of(run).await?.state
            else {
                return Ok(None);
            };
            ensure!(builder.as_str() == wanted, "{builder} has it");
            Ok(Some(()))
        })
        .await
}

fn names(orders: &[serde_json::Value]) -> Vec<&str> {
    let names = orders.iter().map(|order| order["recipe"].as_str());
    names.map(Option::unwrap_or_default).collect()
}

#[test]
fn the_builder_whose_host_has_it_gets_it() {
    Stage::play(two(), async |stage| {
        stage.install("avalanche-2", "cane").await?;
        let gate = stage.gate("all");
        let slow = |name| {
            let recipe = Recipe::new(name).needs("cane");
            recipe.build(&gate.wait()).file()
        };
        let head = stage.push(&[slow("reed"), slow("flute")]).await?;
        // The other one is free, and of no use.
        stage
            .until("a build that waits for a slot", async |stage| {
                let said = stage.runs_on(&head).values().map(summary).any(|said| {
                    said.contains("every slot of avalanche-2 is taken")
                        && said.contains("the host of avalanche lacks cane")
                });
                Ok(said.then_some(()))
            })
            .await?;
        gate.open()?;
        stage.succeeded(&head, &["flute", "reed"]).await?;
        ensure!(stage.orders().is_empty());
        ensure!(stage.orders_to(stage.second()?).len() == 2);
        Ok(())
    });
}

#[test]
fn a_need_is_missing_only_when_every_host_was_asked() {
    Stage::play(two(), async |stage| {
        stage.install("avalanche-2", "cane").await?;
        stage.second_mut()?.kill().await?;
        let head = stage
            .push(&[Recipe::new("reed").needs("cane").file()])
            .await?;
        let words = [
            "waiting for a builder",
            "avalanche-2 has not answered since",
            "the host of avalanche lacks cane",
        ];
        says(stage, &head, "reed", &words).await?;
        stage.second_mut()?.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        ensure!(stage.orders().is_empty());
        ensure!(stage.recipe_runs_on(&head).len() == 1);
        Ok(())
    });
}

#[test]
fn what_is_installed_later_lets_held_builds_go_on() {
    Stage::play(two(), async |stage| {
        stage.install("avalanche", "cane").await?;
        stage.install("avalanche-2", "bark").await?;
        let reed = Recipe::new("reed").needs("cane").needs("bark");
        let flute = Recipe::new("flute").needs("twine").needs("cane");
        let head = stage.push(&[reed.file(), flute.file()]).await?;
        let runs = stage
            .concluded(&head, &[("flute", Failure), ("reed", Failure)])
            .await?;
        let said = summary(&runs["reed"]);
        let lacks = said.contains("avalanche lacks bark; avalanche-2 lacks cane");
        ensure!(lacks, "each has what the other lacks: {said}");
        let said = summary(&runs["flute"]);
        ensure!(said.contains("Nothing provides twine:"), "{said}");
        let held = runs["flute"].id;

        stage.install("avalanche-2", "cane").await?;
        stage
            .until("a build that goes on by itself", async |stage| {
                let conclusion = stage.runs_on(&head)["reed"].status.conclusion();
                Ok((conclusion == Some(Success)).then_some(()))
            })
            .await?;
        let second = stage.orders_to(stage.second()?);
        ensure!(names(&second) == ["reed"]);
        let runs = stage.runs_on(&head);
        ensure!(runs["flute"].id == held, "nothing is new for it");
        Ok(())
    });
}

#[test]
fn a_build_of_a_dead_builder_goes_to_another() {
    Stage::play(mortal(), async |stage| {
        let gate = stage.gate("reed");
        let reed = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[reed.file()]).await?;
        at_work(stage, &head, "reed", "avalanche").await?;
        stage.avalanche.kill().await?;
        gate.open()?;
        let runs = stage.succeeded(&head, &["reed"]).await?;
        let said = summary(&runs["reed"]);
        ensure!(said.contains("lost on avalanche: "), "{said}");
        ensure!(names(&stage.orders_to(stage.second()?)) == ["reed"]);
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(build.attempts == 2, "{build:?}");
        ensure!(stage.recipe_runs_on(&head).len() == 1);
        stage.avalanche.start().await
    });
}

#[test]
fn who_waits_for_a_silent_builder_is_told_since_when_and_until_when() {
    Stage::play(two(), async |stage| {
        let gate = stage.gate("reed");
        let reed = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[reed.file()]).await?;
        at_work(stage, &head, "reed", "avalanche").await?;
        stage.avalanche.kill().await?;
        let words = [
            "avalanche has not answered since",
            "summit asks again at",
            "the build goes to another builder at",
        ];
        says(stage, &head, "reed", &words).await?;
        let (_, page) = stage.get("").await?;
        ensure!(page.contains("avalanche has not answered since"), "{page}");
        let (_, status) = stage.get("api/v1/status").await?;
        ensure!(
            status.contains("\"silent_builders\":{\"avalanche\":"),
            "{status}"
        );
        gate.open()?;
        stage.avalanche.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        let (_, page) = stage.get("").await?;
        ensure!(!page.contains("has not answered since"), "{page}");
        Ok(())
    });
}

/// Has the builder want so many bytes of its disk to be free, and starts it again.
async fn want_free(stage: &mut Stage, bytes: u64) -> Result<()> {
    stage.avalanche.stop().await?;
    stage.avalanche.configure(|text| {
        let rest = text.lines();
        let rest = rest.filter(|line| !line.starts_with("min_free_bytes"));
        let rest: Vec<&str> = rest.collect();
        format!("min_free_bytes = {bytes}\n{}\n", rest.join("\n"))
    })?;
    stage.avalanche.start().await
}

#[test]
fn builds_wait_for_room_on_a_builders_disk_and_none_is_lost() {
    Stage::play(Setup::default(), async |stage| {
        want_free(stage, 9_000_000_000_000_000_000).await?;
        let head = stage.push(&[Recipe::new("reed").file()]).await?;
        let words = [
            "waiting for a builder: avalanche takes no builds: ",
            "are free on its disk, and it wants 9000000000 GB",
        ];
        says(stage, &head, "reed", &words).await?;
        let (_, page) = stage.get("").await?;
        ensure!(page.contains("avalanche takes no builds"), "{page}");
        want_free(stage, 1).await?;
        let runs = stage.succeeded(&head, &["reed"]).await?;
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(build.attempts == 1 && build.losses.is_empty(), "{build:?}");
        Ok(())
    });
}

#[test]
fn who_lost_a_build_does_not_get_it_again_while_there_is_another() {
    Stage::play(mortal(), async |stage| {
        let gate = stage.gate("reed");
        let reed = Recipe::new("reed").build(&gate.wait());
        let head = stage.push(&[reed.file()]).await?;
        at_work(stage, &head, "reed", "avalanche").await?;
        // Back at once, and the first by name.
        stage.avalanche.kill().await?;
        gate.open()?;
        stage.avalanche.start().await?;
        stage.succeeded(&head, &["reed"]).await?;
        ensure!(names(&stage.orders_to(stage.second()?)) == ["reed"]);
        Ok(())
    });
}

#[test]
fn a_member_whose_builder_died_is_built_again_and_the_others_go_on() {
    Stage::play(mortal(), async |stage| {
        let first = stage
            .push(&[Recipe::new("reed").file(), Recipe::new("bore").file()])
            .await?;
        stage.succeeded(&first, &["bore", "reed"]).await?;
        let count = stage.orders_to(stage.second()?).len();
        let [reed, bore] = ["reed", "bore"].map(|name| stage.gate(name));
        let head = stage
            .push(&[
                Recipe::new("reed")
                    .release(2)
                    .needs("bore")
                    .build(&reed.wait())
                    .file(),
                Recipe::new("bore")
                    .release(2)
                    .needs("reed")
                    .build(&bore.wait())
                    .file(),
            ])
            .await?;
        let member = |orders: &[serde_json::Value], place: usize| {
            let order = orders.get(place).filter(|_| orders.len() == place + 1);
            order.map(|order| order["recipe"].to_string().contains("reed"))
        };
        let sent = stage.orders_to(&stage.avalanche).len();
        let is_reed = stage
            .until("the first member at work", async |stage| {
                Ok(member(&stage.orders_to(&stage.avalanche), sent))
            })
            .await?;
        let gates = if is_reed { [reed, bore] } else { [bore, reed] };
        gates[0].open()?;
        stage
            .until("its peer at work", async |stage| {
                Ok(member(&stage.orders_to(&stage.avalanche), sent + 1))
            })
            .await?;
        stage.avalanche.kill().await?;
        gates[1].open()?;

        let runs = stage.succeeded(&head, &["bore", "reed"]).await?;
        let mut builds = Vec::new();
        for run in runs.values() {
            builds.push(stage.build_of(run).await?);
        }
        builds.sort_by_key(|build| build.id);
        let losses: Vec<_> = builds.iter().map(|build| build.losses.len()).collect();
        ensure!(losses == [1, 1], "{builds:#?}");
        let said = summary(&runs[builds[0].recipe.as_str()]);
        ensure!(
            said.contains("lost on avalanche: summit cannot get the stones from avalanche"),
            "{said}"
        );
        let orders = stage.orders_to(stage.second()?);
        ensure!(orders.len() == count + 2, "{orders:#?}");
        let closure = orders[count + 1]["closure"].to_string();
        ensure!(
            closure.contains("-1.0-2-1-x86_64"),
            "of the first member as it was built again: {closure}"
        );
        let names = stage.published().await?.names();
        ensure!(names == ["bore-1.0-2-1", "reed-1.0-2-1"], "{names:?}");
        stage.avalanche.start().await
    });
}

/// A builder that answers can have lost what it made: a disk was wiped.
#[test]
fn a_member_whose_stones_are_gone_is_built_again() {
    Stage::play(Setup::default(), async |stage| {
        let first = stage
            .push(&[Recipe::new("reed").file(), Recipe::new("bore").file()])
            .await?;
        stage.succeeded(&first, &["bore", "reed"]).await?;
        let assets = || Point::rest("GET", "/assets/**");
        let manifest = stage.avalanche.pause(assets());
        let head = stage
            .push(&[
                Recipe::new("reed").release(2).needs("bore").file(),
                Recipe::new("bore").release(2).needs("reed").file(),
            ])
            .await?;
        manifest.held(LIMIT).await.context("no manifest is kept")?;
        // Its peer fetches its stones next.
        let stone = stage.avalanche.pause(assets());
        manifest.resume();
        stone.held(LIMIT).await.context("no stone is fetched")?;
        let folder = stage.data("avalanche").join("assets");
        for attempt in std::fs::read_dir(&folder)? {
            std::fs::remove_dir_all(attempt?.path())?;
        }
        stone.resume();
        let runs = stage.succeeded(&head, &["bore", "reed"]).await?;
        let mut said = String::new();
        for run in runs.values() {
            said.push_str(&summary(run));
        }
        ensure!(
            said.contains("avalanche no longer has the stones"),
            "{said}"
        );
        ensure!(
            said.contains("the stones of the earlier build of"),
            "{said}"
        );
        let names = stage.published().await?.names();
        ensure!(names == ["bore-1.0-2-1", "reed-1.0-2-1"], "{names:?}");
        Ok(())
    });
}
