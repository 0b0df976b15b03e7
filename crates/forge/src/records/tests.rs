//! The database agrees with the memory, whatever was changed, and a commit that fails loses nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::id::{AccountId, CommentKind, InstallationId, RepositoryId};
use crate::name::{Branch, Sha};
use crate::push;
use crate::state::access::{Grant, Selection, TokenDigest};
use crate::state::account::{Account, Kind};
use crate::state::check_run::{CheckRun, Conclusion, Output, Status};
use crate::state::comment::{Comment, Content, Reaction, Subject};
use crate::state::installation::Suspension;
use crate::state::pull::{Base, Computed, Head, Mergeability, PullRequest, State as PullState};
use crate::state::queue::{Entry, Group, Stage};
use crate::state::repository::{Activity, Repository, Role, Standing, Visibility};
use crate::state::review::{LinePlace, Review, ReviewComment, Verdict};
use crate::state::rule::{MergeQueue, RequiredCheck, Rule, Source};
use crate::state::team::Team;
use crate::webhook::log::{Delivery, Outgoing};
use crate::webhook::{Event, Redelivery};

/// A change of the records. Numbers choose among the rows that there are.
#[derive(Debug, Clone)]
enum Change {
    Account {
        is_user: bool,
    },
    Repository(usize),
    Role(usize, usize),
    Suspend(usize),
    Rename(usize, u8),
    Stand(usize, Standing),
    Ref(usize, u8, Option<u8>),
    Follow(usize),
    Rule(usize),
    Team(usize),
    Review(usize),
    Queue(usize),
    Pull(usize),
    Merge(usize),
    Comment(usize, String),
    React(usize),
    Run(usize),
    Complete(usize),
    Mint {
        hours: i64,
    },
    MintUser(usize),
    Configure(BTreeMap<u8, usize>),
    Put(String),
    End(usize),
    /// The process ends and another one begins.
    Restart,
}

fn change() -> impl Strategy<Value = Change> {
    let row = 0..8_usize;
    prop_oneof![
        any::<bool>().prop_map(|is_user| Change::Account { is_user }),
        row.clone().prop_map(Change::Repository),
        (row.clone(), row.clone()).prop_map(|(one, other)| Change::Role(one, other)),
        row.clone().prop_map(Change::Suspend),
        (row.clone(), any::<u8>()).prop_map(|(of, name)| Change::Rename(of, name)),
        (row.clone(), standing()).prop_map(|(of, standing)| Change::Stand(of, standing)),
        (row.clone(), 0..4_u8, any::<Option<u8>>())
            .prop_map(|(of, name, tip)| Change::Ref(of, name, tip)),
        row.clone().prop_map(Change::Follow),
        row.clone().prop_map(Change::Rule),
        row.clone().prop_map(Change::Team),
        row.clone().prop_map(Change::Review),
        row.clone().prop_map(Change::Queue),
        row.clone().prop_map(Change::Pull),
        row.clone().prop_map(Change::Merge),
        (row.clone(), any::<String>()).prop_map(|(of, text)| Change::Comment(of, text)),
        row.clone().prop_map(Change::React),
        row.clone().prop_map(Change::Run),
        row.clone().prop_map(Change::Complete),
        (-1..2_i64).prop_map(|hours| Change::Mint { hours }),
        row.clone().prop_map(Change::MintUser),
        prop::collection::btree_map(any::<u8>(), row.clone(), 0..3).prop_map(Change::Configure),
        any::<String>().prop_map(Change::Put),
        row.prop_map(Change::End),
        Just(Change::Restart),
    ]
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Here),
        Just(Standing::WithoutApp),
        Just(Standing::Deleted)
    ]
}

fn at() -> Timestamp {
    Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap()
}

fn bot() -> Login {
    "summit[bot]".parse().unwrap()
}

fn open(folder: &Path) -> Records {
    Records::open(folder, bot(), at()).unwrap()
}

fn pick<K: Copy, V>(rows: &BTreeMap<K, V>, which: usize) -> Option<K> {
    let count = rows.len().max(1);
    rows.keys().nth(which % count).copied()
}

fn sha(digit: u8) -> Sha {
    format!("{digit:02x}").repeat(20).parse().unwrap()
}

fn apply(state: &mut State, change: Change) -> Option<()> {
    match change {
        Change::Account { is_user } => account(state, is_user),
        Change::Repository(owner) => repository(state, owner)?,
        Change::Role(of, who) => {
            let (of, who) = (pick(&state.repositories, of)?, pick(&state.accounts, who)?);
            let record = state.repositories.get_mut(&of)?;
            record.roles.insert(who, Role::Write);
        }
        Change::Suspend(which) => {
            let (id, by) = (pick(&state.installations, which)?, state.bot);
            state.suspensions.insert(id, Suspension { by, at: at() });
        }
        Change::Rename(which, name) => {
            let id = pick(&state.repositories, which)?;
            let owner = state.repository(id).owner;
            state.move_repository(id, owner, format!("n{name}").parse().ok()?);
        }
        Change::Stand(of, standing) => {
            let of = pick(&state.repositories, of)?;
            state.repositories.get_mut(&of)?.standing = standing;
            if standing == Standing::Deleted {
                push::forget(state, of);
                state.leftovers.insert(of, ());
            } else {
                state.leftovers.remove(&of);
            }
        }
        Change::Ref(of, name, tip) => {
            let of = pick(&state.repositories, of)?;
            let key = (of, format!("refs/heads/{name}"));
            match tip {
                Some(tip) => state.refs.insert(key, sha(tip)),
                None => drop(state.refs.remove(&key)),
            }
        }
        Change::Follow(of) => {
            let (of, who) = (pick(&state.repositories, of)?, pick(&state.accounts, 0)?);
            state.pushers.insert(of, who);
            state.follows.insert((of, "main".to_owned()), who);
            state.merging.insert((of, 1), sha(7));
        }
        Change::Rule(of) => {
            let key = (pick(&state.repositories, of)?, "main".to_owned());
            let (name, source) = ("snekbook".to_owned(), Source::App);
            let checks = vec![RequiredCheck { name, source }];
            let queue = MergeQueue::On;
            state.rules.insert(key, Rule { checks, queue });
        }
        Change::Queue(which) => {
            let (place, by) = (state.next_id(), state.bot);
            let entry = Entry {
                place,
                branch: "main".parse().unwrap(),
                by,
                head: sha(1),
                group: Some(Group {
                    base: sha(2),
                    head: sha(5),
                    stage: Stage::Asked,
                }),
                leaves: None,
            };
            state.queue.insert(pick(&state.pulls, which)?, entry);
        }
        Change::Review(of) => review(state, of)?,
        Change::Team(of) => {
            let key = (pick(&state.accounts, of)?, "recipes".to_owned());
            let members = [state.bot].into();
            state.teams.insert(key, Team { members });
        }
        Change::Pull(of) => pull(state, of)?,
        Change::Merge(which) => {
            let by = state.bot;
            let key = pick(&state.pulls, which)?;
            let (at, commit) = (at(), sha(9));
            state.pulls.get_mut(&key)?.state = PullState::Merged { at, by, commit };
        }
        Change::Comment(of, text) => comment(state, of, text)?,
        Change::React(which) => {
            let (author, id) = (state.bot, state.next_id());
            let key = pick(&state.comments, which)?;
            state.comments.get_mut(&key)?.reactions.push(Reaction {
                id,
                author,
                content: Content::Rocket,
                created_at: at(),
            });
        }
        Change::Run(of) => run(state, of)?,
        Change::Complete(which) => {
            let key = pick(&state.check_runs, which)?;
            let (conclusion, at) = (Conclusion::TimedOut, at());
            state.check_runs.get_mut(&key)?.status = Status::Completed { conclusion, at };
        }
        Change::Mint { hours } => {
            let some = state.repositories.keys().copied().collect();
            let grant = Grant {
                installation: InstallationId::new(1),
                repositories: Selection::Some(some),
                permissions: crate::config::App::new(String::new(), "".into()).permissions,
                expires_at: at() + SignedDuration::from_hours(hours),
            };
            state.tokens.mint(grant, at());
        }
        Change::MintUser(who) => {
            let who = pick(&state.accounts, who)?;
            state.tokens.mint_user(who);
        }
        Change::Configure(tokens) => {
            let tokens = tokens.into_iter().filter_map(|(token, who)| {
                let who = pick(&state.accounts, who)?;
                Some((TokenDigest::of(&token.to_string()), who))
            });
            let tokens = tokens.collect();
            state.tokens.configure(&tokens);
        }
        Change::Put(text) => put(state, &text),
        Change::End(which) => end(state, which)?,
        Change::Restart => {}
    }
    Some(())
}

fn account(state: &mut State, is_user: bool) {
    let id: AccountId = state.next_id();
    let kind = if is_user {
        Kind::User
    } else {
        let installation = state.next_id();
        state.installations.insert(installation, id);
        Kind::Organisation
    };
    state.insert_account(Account {
        id,
        login: format!("a{id}").parse().unwrap(),
        kind,
        created_at: at(),
    });
}

fn repository(state: &mut State, owner: usize) -> Option<()> {
    let owner = pick(&state.accounts, owner)?;
    let name = format!("r{}", state.repositories.len()).parse().unwrap();
    state.insert_repository(Repository {
        id: RepositoryId::new(0),
        owner,
        name,
        default_branch: "main".parse().unwrap(),
        parent: pick(&state.repositories, 0),
        standing: Standing::Here,
        roles: BTreeMap::new(),
        folder: None,
        activity: Activity::Active,
        visibility: Visibility::Private,
        path: std::path::PathBuf::new(),
        last_number: 0,
        created_at: at(),
        pushed_at: at(),
        refs_lock: std::sync::Arc::default(),
    });
    Some(())
}

fn pull(state: &mut State, of: usize) -> Option<()> {
    let repository = pick(&state.repositories, of)?;
    let branch: Branch = "main".parse().unwrap();
    let number = state.next_pull_number(repository);
    state.insert_pull(PullRequest {
        id: crate::id::PullId::new(0),
        number,
        repository,
        title: "<a> & \"b\"".to_owned(),
        body: None,
        author: state.bot,
        draft: false,
        head: Head {
            repository,
            branch: branch.clone(),
            sha: sha(1),
        },
        base: Base::new(branch, sha(2)),
        state: PullState::Open,
        mergeable: Mergeability::Clean(sha(3)),
        computed: Computed::NotYet,
        created_at: at(),
        updated_at: at(),
    });
    Some(())
}

fn review(state: &mut State, of: usize) -> Option<()> {
    let repository = pick(&state.repositories, of)?;
    let review = state.next_id();
    let (author, number, commit) = (state.bot, 1, sha(1));
    let row = Review {
        id: review,
        repository,
        number,
        author,
        verdict: Verdict::RequestChanges,
        body: "No".to_owned(),
        commit: commit.clone(),
        submitted_at: at(),
    };
    state.reviews.insert(review, row);
    let id = state.next_id();
    let row = ReviewComment {
        id,
        review,
        repository,
        number,
        author,
        place: LinePlace {
            path: "a".to_owned(),
            line: 1,
            position: 2,
            hunk: "@@ -1 +1 @@".to_owned(),
        },
        commit,
        body: "Why?".to_owned(),
        created_at: at(),
    };
    state.review_comments.insert(id, row);
    Some(())
}

fn comment(state: &mut State, of: usize, body: String) -> Option<()> {
    let repository = pick(&state.repositories, of)?;
    let id = state.next_comment(CommentKind::Issue);
    let comment = Comment {
        id,
        repository,
        subject: Subject::Pull(1),
        author: state.bot,
        body,
        created_at: at(),
        updated_at: at(),
        reactions: Vec::new(),
    };
    state.comments.insert(id, comment);
    Some(())
}

fn run(state: &mut State, of: usize) -> Option<()> {
    let repository = pick(&state.repositories, of)?;
    let (suite, _) = state.suite(repository, &sha(1), None, at());
    let id = state.next_id();
    let run = CheckRun {
        id,
        repository,
        suite,
        head_sha: sha(1),
        name: "build nano".to_owned(),
        external_id: None,
        details_url: None,
        status: Status::InProgress,
        started_at: at(),
        output: Output::default(),
        annotations: Vec::new(),
        actions: Vec::new(),
    };
    state.check_runs.insert(id, run);
    Some(())
}

fn put(state: &mut State, text: &str) {
    let id = state.next_id();
    let event = Event {
        guid: Uuid::from_u128(7),
        event: "push".into(),
        action: None,
        installation: Some(InstallationId::new(1)),
        repository: Some(RepositoryId::new(1)),
        body: Bytes::from(serde_json::to_vec(text).unwrap()),
        made_at: at(),
    };
    let redelivery = Redelivery::First;
    state
        .deliveries
        .outgoing
        .insert(id, Outgoing { event, redelivery });
}

fn end(state: &mut State, which: usize) -> Option<()> {
    let outgoing = pick(&state.deliveries.outgoing, which)?;
    let Outgoing { event, .. } = state.deliveries.outgoing.remove(&outgoing)?;
    let id = state.next_id();
    let row = Delivery::lost(id, event, at());
    state.deliveries.insert(row, at());
    Some(())
}

/// What a start would read: rows, and what there is once.
fn seen(records: &Records) -> (BTreeMap<&'static str, Vec<String>>, String) {
    let mut state = records.lock();
    let next: AccountId = state.next_id();
    let once = format!("{next} {} {}", state.bot, state.started_at);
    (tables::contents(&state), once)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_start_finds_what_was_in_memory(changes in prop::collection::vec(change(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut records = open(folder.path());
        for change in changes {
            if matches!(change, Change::Restart) {
                drop(records);
                records = open(folder.path());
            } else {
                apply(&mut records.lock(), change);
            }
        }
        let before = seen(&records);
        drop(records);
        let records = open(folder.path());
        let mut after = seen(&records);
        // Looking took an id.
        let taken = after.1.split_once(' ').unwrap();
        let number: u64 = taken.0.parse().unwrap();
        after.1 = format!("{} {}", number - 1, taken.1);
        prop_assert_eq!(before, after);
    }
}

#[test]
fn rows_that_the_log_forgets_leave_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    for _ in 0..3 {
        let mut state = records.lock();
        put(&mut state, "old");
        end(&mut state, 0).unwrap();
    }
    {
        let mut state = records.lock();
        put(&mut state, "new");
        let late = at() + SignedDuration::from_hours(73);
        let id = *state.deliveries.outgoing.first_key_value().unwrap().0;
        let event = state.deliveries.outgoing.remove(&id).unwrap().event;
        let row = Delivery::lost(state.next_id(), event, late);
        state.deliveries.insert(row, late);
    }
    drop(records);
    assert_eq!(open(folder.path()).lock().deliveries.rows.len(), 1);
}

/// A database of today has to be read by every later version: another form of a row needs a
/// migration.
#[test]
fn the_form_of_the_rows_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    let mut state = records.lock();
    for change in [
        Change::Account { is_user: false },
        Change::Repository(1),
        Change::Role(0, 0),
        Change::Suspend(0),
        Change::Rename(0, 7),
        Change::Ref(0, 1, Some(4)),
        Change::Follow(0),
        Change::Rule(0),
        Change::Team(1),
        Change::Pull(0),
        Change::Merge(0),
        Change::Pull(0),
        Change::Queue(1),
        Change::Review(0),
        Change::Comment(0, "Hello".to_owned()),
        Change::React(0),
        Change::Run(0),
        Change::Complete(0),
        Change::Put("old".to_owned()),
        Change::End(0),
        Change::Put("new".to_owned()),
        Change::Stand(0, Standing::WithoutApp),
        Change::Configure(BTreeMap::from([(1, 1)])),
        Change::Mint { hours: 1 },
    ] {
        apply(&mut state, change).unwrap();
    }
    state.leftovers.insert(RepositoryId::new(1), ());
    insta::assert_json_snapshot!(tables::contents(&state));
}

/// What was added to a row since has a value where the row was written before.
#[test]
fn a_pull_request_of_an_earlier_version_is_read() {
    let row = r#"{"id":10007,"number":2,"repository":10005,"title":"A change","body":null,
        "author":10001,"head":{"repository":10005,"branch":"topic",
        "sha":"0101010101010101010101010101010101010101"},"base":{"branch":"main",
        "sha":"0202020202020202020202020202020202020202"},"state":"open",
        "mergeable":{"clean":"0303030303030303030303030303030303030303"},
        "created_at":"2027-01-15T08:00:00Z","updated_at":"2027-01-15T08:00:00Z"}"#;
    let pull: PullRequest = serde_json::from_str(row).unwrap();
    assert!(!pull.draft);
    assert_eq!(pull.computed, Computed::Done);
    assert_eq!(pull.base.tip(), &sha(2));
}

#[test]
fn the_bot_is_called_as_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let id = open(folder.path()).lock().bot;
    let records = Records::open(folder.path(), "autumn[bot]".parse().unwrap(), at()).unwrap();
    drop(records);
    let records = Records::open(folder.path(), "autumn[bot]".parse().unwrap(), at()).unwrap();
    let state = records.lock();
    assert_eq!(state.find_account("autumn[bot]").unwrap().id, id);
    assert!(state.find_account("summit[bot]").is_none());
}

/// A token is never in the database: whoever reads it cannot act.
#[test]
fn the_database_has_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    let token = {
        let mut state = records.lock();
        let bot = state.bot;
        state.tokens.mint_user(bot)
    };
    drop(records);
    assert!(
        open(folder.path())
            .lock()
            .tokens
            .find_user(&token)
            .is_some()
    );
    let data = std::fs::read(folder.path().join("db/data.mdb")).unwrap();
    let finds = |text: &str| {
        data.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(finds("summit[bot]"), "it is the right file");
    assert!(!finds(&token));
}

/// A map of one megabyte stands for a disk without room.
#[tokio::test]
async fn a_commit_that_fails_is_told_and_made_once_there_is_room() {
    let folder = TempDir::new().unwrap();
    let options = Options {
        map_size: 1 << 20,
        ..Options::default()
    };
    let records = Records::open_with(folder.path(), bot(), at(), &options).unwrap();
    records.recorded().await.unwrap();
    let huge = {
        let mut state = records.lock();
        account(&mut state, true);
        repository(&mut state, 0).unwrap();
        comment(&mut state, 0, "x".repeat(2 << 20)).unwrap();
        *state.comments.first_key_value().unwrap().0
    };
    let error = records.recorded().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("its map is full"), "{source}");
    // A later change does not overtake what failed.
    comment(&mut records.lock(), 0, "small".to_owned()).unwrap();
    records.recorded().await.unwrap_err();
    let waiting = records.recorded_at_last();
    records.lock().comments.remove(&huge);
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, waiting).await.unwrap().unwrap();
    records.recorded().await.unwrap();
    let before = tables::contents(&records.lock());
    assert_eq!(before["comments"].len(), 1);
    drop(records);
    let records = open(folder.path());
    assert_eq!(before, tables::contents(&records.lock()));
}

#[tokio::test]
async fn a_change_that_panics_is_neither_kept_nor_told() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    put(&mut records.lock(), "whole");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut state = records.lock();
        put(&mut state, "half");
        panic!("in the middle");
    }));
    assert!(panicked.is_err());
    put(&mut records.lock(), "after it");
    within_limit(records.broken_off()).await;
    for refused in [
        within_limit(records.recorded()).await,
        within_limit(records.recorded_at_last()).await,
    ] {
        assert!(matches!(refused, Err(Unrecorded::Broken)), "{refused:?}");
    }
    drop(records);
    assert_eq!(
        open(folder.path()).lock().deliveries.outgoing.len(),
        1,
        "what was whole is kept, and nothing else"
    );
}

#[tokio::test]
async fn a_reader_that_panics_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let state = records.lock();
        assert_eq!(state.deliveries.outgoing.len(), 1, "there is none");
    }));
    assert!(panicked.is_err());
    put(&mut records.lock(), "after it");
    within_limit(records.recorded()).await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_a_writer_that_panicked() {
    let journal = Journal::start_with(|_| panic!("while writing")).unwrap();
    journal.recorded().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path());
    let changes = {
        let mut state = records.lock();
        put(&mut state, "some change");
        Changes::take(&mut state)
    };
    journal.hand_over(changes);
    within_limit(journal.broken_off()).await;
    let refused = within_limit(journal.recorded()).await;
    assert!(matches!(refused, Err(Unrecorded::Broken)), "{refused:?}");
}

/// Fails when it takes longer than anything here does.
async fn within_limit<T>(waited: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    let waited = tokio::time::timeout(limit, waited).await;
    waited.expect("it takes longer than a minute")
}
