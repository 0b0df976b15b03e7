//! Builds that fail, and what people are told of it.

use anyhow::{Context as _, Result, ensure};
use api::id::Sha256;
use forge::Conclusion::{Failure, Skipped, Success};
use forge::{Annotation, AnnotationLevel, CheckRun};
use harness::{File, Recipe, Setup, Stage};

/// All that a check run says.
fn said(run: &CheckRun) -> String {
    let output = &run.output;
    [&output.title, &output.summary, &output.text]
        .map(|part| part.clone().unwrap_or_default())
        .join("\n")
}

/// The one annotation of a check run that is about an error. Annotations follow the conclusion.
async fn error(stage: &mut Stage, run: &CheckRun) -> Result<Annotation> {
    stage
        .until("an annotation of an error", async |stage| {
            let runs = stage.runs_on(&run.head_sha);
            let found = runs.values().find(|found| found.id == run.id);
            let mut errors = found.map_or_else(Vec::new, |run| run.annotations.clone());
            errors.retain(|found| found.annotation_level == AnnotationLevel::Failure);
            ensure!(errors.len() < 2, "there are several: {errors:?}");
            Ok(errors.pop())
        })
        .await
}

/// The line of a recipe, counted from 1, that holds `text`.
fn line_of(recipe: &str, text: &str) -> Result<u64> {
    let found = recipe.lines().position(|line| line.contains(text));
    Ok(found.context("the text is there")? as u64 + 1)
}

#[test]
fn a_failed_build_shows_the_end_of_its_log_and_holds_its_dependents() {
    Stage::play(Setup::default(), async |stage| {
        let reed = Recipe::new("reed")
            .build("for i in $(seq 200); do echo \"carving $i\"; done")
            .build("echo 'the reed is split' && exit 7");
        let flute = Recipe::new("flute").needs("reed");
        let head = stage.push(&[reed.file(), flute.file()]).await?;
        let runs = stage
            .concluded(&head, &[("flute", Skipped), ("reed", Failure)])
            .await?;

        let reed = said(&runs["reed"]);
        ensure!(reed.contains("Failed in phase build"), "{reed}");
        ensure!(reed.contains("the reed is split"), "{reed}");
        ensure!(reed.contains("carving 199\n"), "{reed}");
        ensure!(!reed.contains("carving 2\n"), "the end, not all: {reed}");
        let log = stage.log_of(&runs["reed"]).await?;
        ensure!(log.contains("carving 2\n"), "the link leads to all: {log}");
        let statuses = stage.statuses(&runs["flute"]).await?;
        ensure!(
            !statuses.contains(&"in_progress".to_owned()),
            "{statuses:?}"
        );

        let flute = said(&runs["flute"]);
        ensure!(
            flute.contains("It needs reed, but the build of reed did not succeed"),
            "{flute}"
        );
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(flute.contains(&build.id.to_string()), "{flute}");
        ensure!(stage.histories().await?.is_empty());
        ensure!(stage.published().await?.names().is_empty());

        // A later change mends it, and what was held goes on by itself.
        let mended = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&mended, &["reed"]).await?;
        stage
            .concluded(&head, &[("flute", Success), ("reed", Failure)])
            .await?;
        let names = stage.published().await?.names();
        ensure!(names == ["flute-1.0-1-1", "reed-1.0-1-1"], "{names:?}");
        Ok(())
    });
}

/// What a new library would have provided is known to nobody when it fails.
#[test]
fn what_may_have_come_from_a_failed_library_is_skipped_and_goes_on_with_it() {
    Stage::play(Setup::default(), async |stage| {
        let flute = Recipe::new("flute").uses_pkgconfig("reed");
        let broken = Recipe::new("reed").pkgconfig("reed").build("exit 7");
        let head = stage.push(&[broken.file(), flute.file()]).await?;
        let runs = stage
            .concluded(&head, &[("flute", Skipped), ("reed", Failure)])
            .await?;
        let flute_said = said(&runs["flute"]);
        ensure!(
            flute_said.contains("The build of reed might provide it, but did not succeed"),
            "{flute_said}"
        );
        let build = stage.build_of(&runs["reed"]).await?;
        ensure!(flute_said.contains(&build.id.to_string()), "{flute_said}");
        ensure!(stage.orders().len() == 1, "only the library was ordered");

        let mended = Recipe::new("reed").pkgconfig("reed");
        let mended = stage.push(&[mended.file()]).await?;
        stage.succeeded(&mended, &["reed"]).await?;
        stage
            .concluded(&head, &[("flute", Success), ("reed", Failure)])
            .await?;
        Ok(())
    });
}

#[test]
fn the_second_recipe_of_a_name_says_where_the_first_is_and_follows_it() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("reed").file()]).await?;
        stage.succeeded(&base, &["reed"]).await?;
        let newcomer = Recipe::new("reed").release(2);
        let line = line_of(&newcomer.to_string(), "name")?;
        let head = stage.push(&[newcomer.file_in("r/reed-git")]).await?;
        let runs = stage.concluded(&head, &[("r/reed-git", Failure)]).await?;
        let found = error(stage, &runs["r/reed-git"]).await?;
        ensure!(
            (found.path.as_str(), found.start_line) == ("r/reed-git/stone.yaml", line),
            "{found:?}"
        );
        ensure!(
            found.message.contains("taken by the recipe in reed"),
            "{found:?}"
        );
        // Given up, the name goes to who asked for it, without a push of theirs.
        stage.push(&[File::removed("reed/stone.yaml")]).await?;
        stage.concluded(&head, &[("r/reed-git", Success)]).await?;
        let names = stage.published().await?.names();
        ensure!(names == ["reed-1.0-2-1"], "{names:?}");
        Ok(())
    });
}

#[test]
fn a_recipe_that_does_not_parse_is_annotated_on_its_line() {
    Stage::play(Setup::default(), async |stage| {
        let broken = Recipe::new("reed")
            .to_string()
            .replace("release: 1", "release: none");
        let line = line_of(&broken, "release")?;
        let good = Recipe::new("drum");
        let head = stage
            .push(&[File::new("r/reed/stone.yaml", broken), good.file()])
            .await?;
        let runs = stage
            .concluded(&head, &[("drum", Success), ("reed", Failure)])
            .await?;
        let found = error(stage, &runs["reed"]).await?;
        ensure!(
            (found.path.as_str(), found.start_line) == ("r/reed/stone.yaml", line),
            "{found:?}"
        );
        ensure!(found.message.contains("release"), "{found:?}");
        ensure!(stage.orders().len() == 1, "only the good one was ordered");
        Ok(())
    });
}

#[test]
fn a_wrong_upstream_hash_fails_with_both_hashes() {
    Stage::play(Setup::default(), async |stage| {
        stage.mirror.put_upstream("reed.txt", b"a forged reed");
        let (expected, actual) = (Sha256::of(b"a reed"), Sha256::of(b"a forged reed"));
        let reed = Recipe::new("reed").upstream(stage.mirror.upstream("reed.txt"), expected);
        let line = line_of(&reed.to_string(), &expected.to_string())?;
        let head = stage.push(&[reed.file()]).await?;
        let runs = stage.concluded(&head, &[("reed", Failure)]).await?;
        let text = said(&runs["reed"]);
        for hash in [expected, actual] {
            ensure!(text.contains(&hash.to_string()), "{hash} is not in {text}");
        }
        let found = error(stage, &runs["reed"]).await?;
        ensure!(
            (found.path.as_str(), found.start_line) == ("reed/stone.yaml", line),
            "{found:?}"
        );
        ensure!(found.message.contains(&actual.to_string()), "{found:?}");
        ensure!(stage.histories().await?.is_empty());
        Ok(())
    });
}

#[test]
fn what_nobody_provides_is_named_and_awaited() {
    Stage::play(Setup::default(), async |stage| {
        let flute = Recipe::new("flute").uses_pkgconfig("reed").needs("bore");
        let first = stage.push(&[flute.file()]).await?;
        let runs = stage.concluded(&first, &[("flute", Failure)]).await?;
        let text = said(&runs["flute"]);
        ensure!(text.contains("Nothing provides bore, pkgconfig"), "{text}");
        ensure!(stage.orders().is_empty());

        let second = stage
            .push(&[
                Recipe::new("bore").file(),
                Recipe::new("reed").pkgconfig("reed").file(),
            ])
            .await?;
        stage.succeeded(&second, &["bore", "reed"]).await?;
        stage.succeeded(&first, &["flute"]).await?;
        let names = stage.published().await?.names();
        ensure!(
            names
                == [
                    "bore-1.0-1-1",
                    "flute-1.0-1-1",
                    "reed-1.0-1-1",
                    "reed-devel-1.0-1-1"
                ],
            "{names:?}"
        );
        Ok(())
    });
}

#[test]
fn a_source_that_nobody_has_fails_at_once() {
    Stage::play(Setup::default(), async |stage| {
        let url = stage.mirror.upstream("cane");
        let reed = Recipe::new("reed").upstream(url.clone(), Sha256::of(b"cane"));
        let head = stage.push(&[reed.file()]).await?;
        let runs = stage.concluded(&head, &[("reed", Failure)]).await?;
        let found = error(stage, &runs["reed"]).await?;
        ensure!(
            found.start_line == line_of(&reed.to_string(), url.as_str())?,
            "{found:?}"
        );
        ensure!(found.message.contains(url.as_str()), "{found:?}");
        ensure!(
            !found.message.contains("avalanche"),
            "nothing of the builder's own folders: {found:?}"
        );
        ensure!(stage.orders().len() == 1, "not tried again by itself");
        Ok(())
    });
}
