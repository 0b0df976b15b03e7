use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread::JoinHandle;

use moss_db::{Environment, Error, Options, RwTxn, Table};

use crate::Plain;

type Submission = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

fn open(folder: &tempfile::TempDir, map_size: u64) -> (Environment, Plain) {
    let options = Options {
        map_size,
        ..Options::default()
    };
    Environment::open(folder.path(), &options).unwrap()
}

/// Holds the only write transaction, so that submissions gather, until it is released.
struct Hold {
    release: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Hold {
    fn new(environment: &Environment) -> Self {
        let environment = environment.clone();
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            environment
                .write(|_| {
                    begun.send(()).unwrap();
                    released.recv().unwrap();
                    Ok::<_, Error>(())
                })
                .unwrap();
        });
        has_begun.recv().unwrap();
        Self { release, thread }
    }

    fn release(self) {
        self.release.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn put(environment: &Environment, tables: &Plain, key: u64) -> Submission {
    let (environment, rows) = (environment.clone(), tables.rows.clone());
    Box::pin(async move {
        environment
            .submit(move |txn| rows.put(txn, &key, &key.to_string()))
            .await
    })
}

/// Puts all submissions into the queue.
async fn queue(submissions: &mut [Submission]) {
    poll_fn(|context| {
        for submission in &mut *submissions {
            assert!(submission.as_mut().poll(context).is_pending());
        }
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn changes_submitted_together_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let before = environment.last_transaction();
    let hold = Hold::new(&environment);
    let mut submissions: Vec<_> = (0..64).map(|key| put(&environment, &tables, key)).collect();
    queue(&mut submissions).await;
    hold.release();
    for submission in submissions {
        submission.await.unwrap();
    }
    // The thread may have taken the first before the others came.
    let commits = environment.last_transaction() - before;
    assert!(
        (1..=2).contains(&commits),
        "64 changes took {commits} commits"
    );
    let rows = environment
        .query(move |txn| tables.rows.len(txn))
        .await
        .unwrap();
    assert_eq!(rows, 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_at_once_need_fewer_commits_than_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let before = environment.last_transaction();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64 {
        let (environment, rows) = (environment.clone(), tables.rows.clone());
        tasks.spawn(async move {
            for turn in 0..10 {
                let (key, rows) = (task * 10 + turn, rows.clone());
                environment
                    .submit(move |txn| rows.put(txn, &key, &String::new()))
                    .await?;
            }
            Ok::<_, Error>(())
        });
    }
    for result in tasks.join_all().await {
        result.unwrap();
    }
    let commits = environment.last_transaction() - before;
    assert!(commits < 320, "640 changes took {commits} commits");
    assert_eq!(environment.read(|txn| tables.rows.len(txn)).unwrap(), 640);
}

#[tokio::test]
async fn a_failing_change_takes_no_other_along() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let (refused, rows) = (environment.clone(), tables.rows.clone());
    let refused: Submission = Box::pin(async move {
        refused
            .submit(move |txn| {
                assert_eq!(rows.len(txn)?, 1, "a change sees those before it");
                rows.put(txn, &2, &"half of it".to_owned())?;
                rows.delete(txn, &1)?;
                Err::<(), _>(Error::UnknownTable("refused"))
            })
            .await
    });
    let hold = Hold::new(&environment);
    let first = put(&environment, &tables, 1);
    let third = put(&environment, &tables, 3);
    let mut submissions = [first, refused, third];
    queue(&mut submissions).await;
    hold.release();
    let [first, refused, third] = submissions;
    first.await.unwrap();
    assert!(matches!(refused.await, Err(Error::UnknownTable("refused"))));
    third.await.unwrap();
    assert_eq!(keys(&environment, &tables), [1, 3]);
}

#[tokio::test]
async fn what_follows_a_commit_follows_it_in_the_order_of_the_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let submit = |key: u64, is_refused: bool| -> Submission {
        let (environment, rows) = (environment.clone(), tables.rows.clone());
        let (reader, heard) = (environment.clone(), Arc::clone(&heard));
        Box::pin(async move {
            let change = move |txn: &mut RwTxn<'_>| {
                rows.put(txn, &key, &String::new())?;
                match is_refused {
                    true => Err(Error::UnknownTable("refused")),
                    false => Ok((key, rows)),
                }
            };
            let committed = move |(key, rows): (u64, Table<u64, String>)| {
                let is_kept = reader.read(|txn| rows.contains(txn, &key)).unwrap();
                heard.lock().unwrap().push((key, is_kept));
            };
            environment.submit_then(change, committed).await
        })
    };
    let hold = Hold::new(&environment);
    let mut submissions = [submit(3, false), submit(2, true), submit(1, false)];
    queue(&mut submissions).await;
    hold.release();
    let [third, second, first] = submissions;
    // Whoever hears of its change knows that all before it were taken up.
    first.await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [(3, true), (1, true)]);
    third.await.unwrap();
    assert!(second.await.is_err());
}

#[tokio::test]
async fn a_panic_after_a_commit_reaches_its_submitter_and_the_change_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let (panicking, rows) = (environment.clone(), tables.rows.clone());
    let panicked = tokio::task::JoinSet::from_iter([async move {
        let change = move |txn: &mut RwTxn<'_>| rows.put(txn, &2, &String::new());
        panicking
            .submit_then(change, |()| panic!("on purpose"))
            .await
    }])
    .join_next()
    .await
    .unwrap();
    assert!(panicked.unwrap_err().is_panic());
    put(&environment, &tables, 3).await.unwrap();
    assert_eq!(keys(&environment, &tables), [2, 3]);
}

#[tokio::test]
async fn a_panic_reaches_its_submitter_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let (panicking, rows) = (environment.clone(), tables.rows.clone());
    let panicked = tokio::task::JoinSet::from_iter([async move {
        panicking
            .submit(move |txn| {
                rows.put(txn, &2, &"half of it".to_owned())?;
                if rows.contains(txn, &2)? {
                    panic!("on purpose");
                }
                Ok::<_, Error>(())
            })
            .await
    }])
    .join_next()
    .await
    .unwrap();
    assert!(panicked.unwrap_err().is_panic());
    put(&environment, &tables, 3).await.unwrap();
    assert_eq!(keys(&environment, &tables), [3]);
}

#[tokio::test]
async fn a_full_map_refuses_one_change_and_not_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 20);
    let too_much = |swallow: fn(Error) -> Result<(), Error>| -> Submission {
        let (environment, rows) = (environment.clone(), tables.rows.clone());
        Box::pin(async move {
            environment
                .submit(move |txn| {
                    let key = rows.len(txn)? + 100;
                    rows.put(txn, &key, &"x".repeat(5 << 20)).or_else(swallow)
                })
                .await
        })
    };
    let hold = Hold::new(&environment);
    let mut submissions = [
        put(&environment, &tables, 1),
        too_much(Err),
        put(&environment, &tables, 2),
        too_much(|_| Ok(())),
        put(&environment, &tables, 3),
    ];
    queue(&mut submissions).await;
    hold.release();
    let [first, told, second, swallowed, third] = submissions;
    first.await.unwrap();
    assert!(matches!(told.await, Err(Error::MapFull)));
    second.await.unwrap();
    // Its transaction was broken by the error that it did not pass on.
    assert!(matches!(swallowed.await, Err(Error::Storage { .. })));
    third.await.unwrap();
    assert_eq!(keys(&environment, &tables), [1, 2, 3]);
}

#[tokio::test]
async fn closing_waits_for_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, tables) = open(&folder, 1 << 30);
    let hold = Hold::new(&environment);
    let mut submissions = [put(&environment, &tables, 1), put(&environment, &tables, 2)];
    queue(&mut submissions).await;
    // Nobody waits for the answers any more.
    drop((submissions, tables));
    hold.release();
    drop(environment);
    let (environment, tables) = open(&folder, 1 << 30);
    assert_eq!(keys(&environment, &tables), [1, 2]);
}

fn keys(environment: &Environment, tables: &Plain) -> Vec<u64> {
    environment
        .read(|txn| tables.rows.iter(txn)?.keys().collect())
        .unwrap()
}
