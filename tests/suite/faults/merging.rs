//! Merge queues, drafts, and commits that head two targets.

use anyhow::{Result, ensure};
use forge::Conclusion::{ActionRequired, Failure, Success};
use forge::{Content, OpenPull, Sha, Subject};
use harness::{File, REPOSITORY, Recipe, Setup, Stage, WRITER};

const CHECK: &str = "snekbook";

/// Three pull requests, each with a recipe of its own.
async fn three(stage: &mut Stage, second: Recipe) -> Result<Vec<(u64, Sha)>> {
    let base = stage.push(&[File::new("README.md", "Recipes.")]).await?;
    stage.verdict(&base, Success).await?;
    stage.forge.require_checks(REPOSITORY, "main", &[CHECK])?;
    stage
        .forge
        .set_merge_queue(REPOSITORY, "main", forge::MergeQueue::On)
        .await?;
    let recipes = [Recipe::new("drum"), second, Recipe::new("reed")];
    let mut pulls = Vec::new();
    for (branch, recipe) in ["one", "two", "three"].into_iter().zip(recipes) {
        pulls.push(stage.propose(branch, &[recipe.file()]).await?);
    }
    for (_, head) in &pulls {
        stage.verdict(head, Success).await?;
    }
    Ok(pulls)
}

/// Each group is built on what is before it, and publishes nothing before the push.
#[test]
fn a_merge_queue_of_three_merges_what_is_built() {
    Stage::play(Setup::default(), async |stage| {
        let pulls = three(stage, Recipe::new("horn")).await?;
        for (number, _) in &pulls {
            stage.forge.enqueue(REPOSITORY, *number, WRITER).await?;
        }
        stage
            .until("all to be merged", async |stage| {
                let is_open = |number| {
                    let pull = stage.forge.find_pull(REPOSITORY, number);
                    pull.is_some_and(|pull| pull.is_open())
                };
                let open = pulls.iter().filter(|(number, _)| is_open(*number)).count();
                Ok((open == 0).then_some(()))
            })
            .await?;
        let head = stage.head().await?;
        stage.verdict(&head, Success).await?;
        stage
            .until("all to be published", async |stage| {
                let names = stage.published().await?.names();
                let wanted = ["drum-1.0-1-1", "horn-1.0-1-1", "reed-1.0-1-1"];
                Ok((names == wanted).then_some(()))
            })
            .await
    });
}

/// What fails on the group leaves the queue; what is behind it merges without it.
#[test]
fn a_merge_queue_drops_what_fails() {
    Stage::play(Setup::default(), async |stage| {
        // It builds alone, and not beside the drum.
        let horn = Recipe::new("horn").build("test ! -e %(datadir)/drum");
        let pulls = three(stage, horn).await?;
        for (number, _) in &pulls {
            stage.forge.enqueue(REPOSITORY, *number, WRITER).await?;
        }
        stage
            .until("the queue to be empty", async |stage| {
                let left = stage.forge.merge_queue(REPOSITORY, "main").len();
                Ok((left == 0).then_some(()))
            })
            .await?;
        let head = stage.head().await?;
        stage.verdict(&head, Success).await.map(drop)
    });
}

#[test]
fn a_draft_is_read_and_built_once_it_is_ready() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("reed", "main").await?;
        let head = checkout
            .commit(&[Recipe::new("reed").file(), Recipe::new("horn").file()])
            .await?;
        checkout.push("reed").await?;
        let open = OpenPull {
            repository: REPOSITORY,
            author: WRITER,
            head: "reed",
            base: "main",
            title: "reed",
            body: None,
            draft: true,
        };
        let number = stage.forge.open_pull(open).await?;
        stage
            .concluded(&head, &[("horn", ActionRequired), ("reed", ActionRequired)])
            .await?;
        ensure!(stage.orders().len() == 1, "only the base was built");
        // Somebody commands one of them.
        let asked = stage
            .forge
            .comment_on_pull(REPOSITORY, number, WRITER, "/rebuild horn")?;
        ensure!(stage.reaction(asked).await? == Content::Rocket);
        stage
            .concluded(&head, &[("horn", Success), ("reed", ActionRequired)])
            .await?;
        stage.forge.mark_ready(REPOSITORY, number, WRITER).await?;
        stage.succeeded(&head, &["horn", "reed"]).await?;
        ensure!(stage.orders().len() == 3, "each was built once");
        Ok(())
    });
}

/// After a fast-forward one commit heads the branch and another pull request. A command on the pull
/// request leaves the branch alone.
#[test]
fn a_commit_that_heads_two_targets_has_one_check_run_with_both() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let checkout = stage.checkout(REPOSITORY, WRITER).await?;
        checkout.switch("legacy", "main").await?;
        checkout.push("legacy").await?;
        let (number, head) = stage
            .propose("reed", &[Recipe::new("reed").build("exit 1").file()])
            .await?;
        stage.concluded(&head, &[("reed", Failure)]).await?;
        stage
            .forge
            .retarget_pull(REPOSITORY, number, WRITER, "legacy")
            .await?;
        checkout.switch("reed", "main").await?;
        checkout.push("main").await?;
        stage
            .until("a check run of both", async |stage| {
                let run = stage.head_run(&head);
                let said = run.and_then(|run| run.output.summary).unwrap_or_default();
                let both = said.contains("### Branch `main`") && said.contains("### Pull request");
                Ok(both.then_some(()))
            })
            .await?;
        stage.verdict(&head, Failure).await?;
        let before = stage.builds().await?.len();
        let asked = stage
            .forge
            .comment_on_pull(REPOSITORY, number, WRITER, "/rebuild")?;
        ensure!(stage.reaction(asked).await? == Content::Rocket);
        stage
            .until("one build more", async |stage| {
                Ok((stage.builds().await?.len() > before).then_some(()))
            })
            .await?;
        stage.verdict(&head, Failure).await?;
        ensure!(
            stage.builds().await?.len() == before + 1,
            "one, of the pull request"
        );
        Ok(())
    });
}

/// Nobody can have meant a head that came after the comment.
#[test]
fn a_command_is_for_the_head_that_its_author_saw() {
    Stage::play(Setup::default(), async |stage| {
        let base = stage.push(&[Recipe::new("drum").file()]).await?;
        stage.succeeded(&base, &["drum"]).await?;
        let broken = Recipe::new("reed").build("exit 1");
        let (number, head) = stage.propose("reed", &[broken.file()]).await?;
        stage.concluded(&head, &[("reed", Failure)]).await?;
        stage.forge.set_webhooks(forge::Mode::Hold);
        let asked = stage
            .forge
            .comment_on_pull(REPOSITORY, number, WRITER, "/rebuild")?;
        stage.forge.advance_clock(std::time::Duration::from_secs(5));
        let (_, newer) = stage.propose("reed", &[broken.release(2).file()]).await?;
        stage.forge.set_webhooks(forge::Mode::Deliver);
        stage.forge.release_webhooks(forge::Order::Reversed).await;
        ensure!(stage.reaction(asked).await? == Content::Confused);
        let answer = stage.read_comment(&Subject::Pull(number)).await?;
        ensure!(answer.contains(&newer.to_string()), "{answer}");
        stage.concluded(&newer, &[("reed", Failure)]).await?;
        Ok(())
    });
}
