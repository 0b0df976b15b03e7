//! What a forge keeps: all that it answered, over a kill in the middle of anything.

mod killed;
mod process;

use std::path::Path;
use std::time::Instant;

use forge::config::{App, Config};
use forge::{
    Edit, Forge, MergeMethod, MergePull, MergeQueue, OpenPull, PullState, RecordsError, Refused,
    Role, Sha, StartError,
};
use futures_util::FutureExt;
use moss_db::OpenError;
use secrecy::ExposeSecret;
use service::Supervisor;

use crate::bench::{LIMIT, REPOSITORY, Receiver, SECRET, git};

/// A forge in this process, on data that may be kept.
struct Kept {
    forge: Forge,
    supervisor: Supervisor,
}

impl Kept {
    async fn start(data: &Path, webhooks: Option<&Receiver>) -> Self {
        Self::start_with(data, webhooks, |_| {}).await
    }

    async fn start_with(
        data: &Path,
        webhooks: Option<&Receiver>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let kept = Self::start_bare(data, webhooks, change).await;
        let forge = &kept.forge;
        forge.ensure_organisation("snekbook").unwrap();
        forge.ensure_user("maya").unwrap();
        forge.ensure_repository(REPOSITORY).await.unwrap();
        forge.set_role(REPOSITORY, "maya", Role::Write).unwrap();
        kept
    }

    /// With nothing in it but what the configuration has.
    async fn start_bare(
        data: &Path,
        webhooks: Option<&Receiver>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let supervisor = Supervisor::new();
        let mut app = App::new(include_str!("app.pub.pem").to_owned(), SECRET.into());
        app.webhook_url = webhooks.map(|receiver| receiver.url.parse().unwrap());
        let mut config = Config::loopback(data.to_owned(), app);
        change(&mut config);
        let begun = Instant::now();
        let forge = loop {
            match forge::start(config.clone(), &supervisor).await {
                // A thread that works for the first one may still be letting go of its database.
                Err(StartError::Records(RecordsError::Open(OpenError::AlreadyOpen { .. })))
                    if begun.elapsed() < LIMIT =>
                {
                    tokio::task::yield_now().await;
                }
                started => break started.unwrap().forge,
            }
        };
        Self { forge, supervisor }
    }

    /// Ends, so that another one can start on the data.
    async fn stop(self) {
        assert_eq!(self.supervisor.shutdown(LIMIT).await, [""; 0]);
    }

    async fn commit(&self, branch: &str, file: &str) -> Sha {
        let edits = [(file, Edit::Put(file.as_bytes().to_vec()))];
        let message = format!("Write {file}");
        let committed = self
            .forge
            .commit(REPOSITORY, "maya", branch, &message, &edits);
        committed.await.unwrap()
    }
}

/// `main` with a commit, and a pull request from `topic`.
async fn with_pull(forge: &Kept) -> u64 {
    forge.commit("main", "a").await;
    forge.commit("topic", "b").await;
    let open = OpenPull {
        repository: REPOSITORY,
        author: "maya",
        head: "topic",
        base: "main",
        title: "A change",
        body: None,
        draft: false,
    };
    forge.forge.open_pull(open).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_finds_people_repositories_and_what_they_did() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let first = Kept::start(folder.path(), None).await;
    let number = with_pull(&first).await;
    let forge = &first.forge;
    let comment = forge
        .comment_on_pull(REPOSITORY, number, "maya", "Hello")
        .unwrap();
    let ids = (
        forge.ensure_organisation("snekbook").unwrap(),
        forge.ensure_user("maya").unwrap(),
    );
    let token = "chosen".to_owned().into();
    forge.ensure_token("maya", &token).unwrap();
    let pull = forge.find_pull(REPOSITORY, number).unwrap();
    first.stop().await;

    let second = Kept::start(folder.path(), None).await;
    let forge = &second.forge;
    assert_eq!(forge.find_pull(REPOSITORY, number).as_ref(), Some(&pull));
    assert_eq!(forge.find_comment(comment).unwrap().body, "Hello");
    let found = (
        forge.ensure_organisation("snekbook").unwrap(),
        forge.ensure_user("maya").unwrap(),
    );
    assert_eq!(ids, found);
    assert!(forge.ensure_user("snekbook").is_err(), "it is no person");
    assert!(forge.ensure_organisation("maya").is_err(), "it is a person");
    let url = format!(
        "{}/{REPOSITORY}.git",
        forge
            .url()
            .replace("://", &format!("://maya:{}@", token.expose_secret()))
    );
    let listed = git(folder.path(), &["ls-remote", &url, "refs/heads/topic"]).await;
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with(pull.head.sha.as_str()), "{listed}");
    let again = forge
        .comment_on_pull(REPOSITORY, number, "maya", "Again")
        .unwrap();
    assert!(again > comment, "ids go on from where they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_stays_suspended_and_gone() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let first = Kept::start(folder.path(), None).await;
    let forge = &first.forge;
    forge.create_organisation("other").unwrap();
    forge.uninstall_app("other", "maya").unwrap();
    forge.suspend_installation("snekbook", "maya").unwrap();
    first.stop().await;
    let named = |config: &mut Config| config.organisations.push("other".parse().unwrap());
    let second = Kept::start_with(folder.path(), None, named).await;
    let forge = &second.forge;
    assert!(!forge.has_app(REPOSITORY));
    forge.unsuspend_installation("snekbook", "maya").unwrap();
    assert!(forge.has_app(REPOSITORY));
    assert!(forge.ensure_organisation("other").is_err());
    forge.reinstall_app("other", "maya").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_is_found_by_both_names() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let first = Kept::start(folder.path(), None).await;
    let sha = first.commit("main", "a").await;
    let forge = &first.forge;
    forge
        .rename_repository(REPOSITORY, "maya", "ports")
        .unwrap();
    first.stop().await;
    // What is configured by its old name is not made anew.
    let named = |config: &mut Config| {
        let settings = forge::config::Repository {
            default_branch: "main".parse().unwrap(),
            roles: [("maya".to_owned(), Role::Admin)].into(),
        };
        config
            .users
            .insert("maya".to_owned(), forge::config::User::default());
        config.repositories.insert(REPOSITORY.to_owned(), settings);
    };
    let second = Kept::start_bare(folder.path(), None, named).await;
    let found = second.forge.find_branch("snekbook/ports", "main").await;
    assert_eq!(found.unwrap(), Some(sha));
    assert!(second.forge.repository_path(REPOSITORY).is_err());
    second.forge.create_repository(REPOSITORY).await.unwrap();
    second.stop().await;
    let third = Kept::start(folder.path(), None).await;
    let path = |name| third.forge.repository_path(name).unwrap();
    assert_ne!(path(REPOSITORY), path("snekbook/ports"));
    assert!(path(REPOSITORY).exists());
}

/// The refs are as a process leaves them that ends between git's work and the forge's.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_was_cut_off_is_settled_at_the_next_start() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let watch = Supervisor::new();
    let receiver = Receiver::start(&watch).await;
    let first = Kept::start(folder.path(), None).await;
    let number = with_pull(&first).await;
    let path = first.forge.repository_path(REPOSITORY).unwrap();
    first.stop().await;

    let merge = format!("refs/pull/{number}/merge");
    let moved = git(&path, &["update-ref", "refs/heads/main", &merge]).await;
    assert!(moved.status.success());
    let tip = git(&path, &["rev-parse", "main"]).await;
    let tip = String::from_utf8(tip.stdout).unwrap();
    let second = Kept::start(folder.path(), Some(&receiver)).await;
    let pull = second.forge.find_pull(REPOSITORY, number).unwrap();
    let merged =
        matches!(&pull.state, PullState::Merged { commit, .. } if commit.as_str() == tip.trim());
    assert!(merged, "{:?}", pull.state);
    let hooks = receiver.wait("pull_request", 2).await;
    let actions: Vec<_> = hooks.iter().map(|hook| &hook.body["action"]).collect();
    assert!(
        actions.contains(&&"opened".into()) && actions.contains(&&"closed".into()),
        "{actions:?}"
    );
    let pushes = receiver.wait("push", 3).await;
    let is_merge = |hook: &&crate::bench::Hook| hook.body["after"] == tip.trim();
    assert_eq!(pushes.iter().filter(is_merge).count(), 1);
    second.stop().await;

    // What is settled is settled once.
    let third = Kept::start(folder.path(), Some(&receiver)).await;
    third.commit("main", "c").await;
    receiver.wait("push", 4).await;
    let pushes = receiver.wait("push", 4).await;
    assert_eq!(pushes.iter().filter(is_merge).count(), 1);
}

/// A squash that was cut off once the branch was moved: nothing of it is in the head.
#[tokio::test(flavor = "multi_thread")]
async fn a_squash_that_was_cut_off_is_settled_at_the_next_start() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let first = Kept::start(folder.path(), None).await;
    let number = with_pull(&first).await;
    let path = first.forge.repository_path(REPOSITORY).unwrap();
    let commits = async || {
        let every = ["rev-list", "--all"];
        let found = git(&path, &every).await;
        String::from_utf8(found.stdout).unwrap()
    };
    let before = commits().await;
    // The branch cannot be moved, so the commit is made and stays without a name.
    let lock = path.join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let wish = MergePull {
        method: MergeMethod::Squash,
        ..MergePull::default()
    };
    let cut_off = first
        .forge
        .merge_pull_with(REPOSITORY, number, "maya", wish);
    assert!(matches!(cut_off.await, Err(Refused::Git(_))));
    first.stop().await;
    std::fs::remove_file(&lock).unwrap();
    let every = ["cat-file", "--batch-all-objects", "--batch-check"];
    let objects = git(&path, &every).await;
    let objects = String::from_utf8(objects.stdout).unwrap();
    let of_commits = objects
        .lines()
        .filter_map(|line| line.split_once(" commit "));
    let made: Vec<_> = of_commits
        .map(|(sha, _)| sha)
        .filter(|sha| !before.contains(sha))
        .collect();
    let [made] = made[..] else {
        panic!("{objects}");
    };
    let moved = git(&path, &["update-ref", "refs/heads/main", made]).await;
    assert!(moved.status.success());
    let second = Kept::start(folder.path(), None).await;
    let pull = second.forge.find_pull(REPOSITORY, number).unwrap();
    let merged = matches!(&pull.state, PullState::Merged { commit, .. } if commit.as_str() == made);
    assert!(merged, "{:?}", pull.state);
}

/// The base cannot be moved: the process ends before that, or right after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_queue_that_was_cut_off_goes_on_at_the_next_start() {
    testbed::machine::require();
    for has_moved in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let first = Kept::start(folder.path(), None).await;
        let number = with_pull(&first).await;
        let forge = &first.forge;
        let queued = forge.set_merge_queue(REPOSITORY, "main", MergeQueue::On);
        queued.await.unwrap();
        let path = forge.repository_path(REPOSITORY).unwrap();
        let lock = path.join("refs/heads/main.lock");
        std::fs::write(&lock, "").unwrap();
        let cut_off = forge.enqueue(REPOSITORY, number, "maya").await;
        assert!(matches!(cut_off, Err(Refused::Git(_))), "{cut_off:?}");
        let waiting = forge.merge_queue(REPOSITORY, "main");
        let (branch, group) = waiting[0].group.clone().unwrap();
        first.stop().await;

        std::fs::remove_file(&lock).unwrap();
        if has_moved {
            let moved = ["update-ref", "refs/heads/main", group.as_str()];
            assert!(git(&path, &moved).await.status.success());
        }
        let second = Kept::start(folder.path(), None).await;
        let forge = &second.forge;
        assert_eq!(forge.merge_queue(REPOSITORY, "main"), []);
        let pull = forge.find_pull(REPOSITORY, number).unwrap();
        let merged = matches!(&pull.state, PullState::Merged { commit, .. } if *commit == group);
        assert!(merged, "{:?}", pull.state);
        let main = forge.find_branch(REPOSITORY, "main").await.unwrap();
        assert_eq!(main, Some(group));
        let gone = forge
            .find_branch(REPOSITORY, branch.as_str())
            .await
            .unwrap();
        assert_eq!(gone, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_wait_until_it_is_known_where_to() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let watch = Supervisor::new();
    let receiver = Receiver::start(&watch).await;
    let first = Kept::start(folder.path(), None).await;
    let sha = first.commit("main", "a").await;
    first.stop().await;
    let second = Kept::start(folder.path(), None).await;
    let later = second.commit("main", "b").await;
    assert!(second.forge.deliveries().is_empty());
    let url = receiver.url.parse().unwrap();
    second.forge.set_webhook_url(Some(url));
    let pushes = receiver.wait("push", 2).await;
    for sha in [sha, later] {
        let is_it = |hook: &&crate::bench::Hook| hook.body["after"] == sha.as_str();
        assert_eq!(pushes.iter().filter(is_it).count(), 1);
    }
}

/// The process may end between the record of a deletion and the end of the folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_cut_off_is_finished_at_the_next_start() {
    testbed::machine::require();
    let folder = tempfile::tempdir().unwrap();
    let first = Kept::start(folder.path(), None).await;
    first.commit("main", "a").await;
    let other = "snekbook/other";
    first.forge.create_repository(other).await.unwrap();
    let path = first.forge.repository_path(other).unwrap();
    // Polled once, it has changed the record and waits for that.
    let deletion = first.forge.delete_repository(other, "maya").now_or_never();
    drop(deletion);
    assert!(first.forge.repository_path(other).is_err());
    first.stop().await;
    let second = Kept::start(folder.path(), None).await;
    assert!(!path.exists());
    assert!(second.forge.repository_path(other).is_err());
    let again = second.forge.create_repository(other).await;
    again.unwrap();
    second.stop().await;
    let third = Kept::start(folder.path(), None).await;
    assert!(third.forge.repository_path(other).unwrap().exists());
    assert!(
        third
            .forge
            .find_branch(REPOSITORY, "main")
            .await
            .unwrap()
            .is_some()
    );
}
