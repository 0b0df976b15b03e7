use service::Supervisor;

use super::*;
use crate::github::Class;
use crate::github::double::{Double, says};
use crate::usecase::example::Example;

/// Sends so many conclusions.
async fn write(summit: &Summit, count: usize) {
    let failed = crate::github::FailedDelivery {
        guid: "a".to_owned(),
        attempt: 1,
    };
    for _ in 0..count {
        let turn = summit.app.take_turn(Class::Conclusion).unwrap();
        summit.app.redeliver(turn, &failed).await.unwrap();
    }
}

#[tokio::test]
async fn a_restart_forgets_no_writes() {
    let github = Double::start().await;
    github.answers(|_| Some(says(202, &serde_json::json!({}))));
    let example = Example::new(&github);
    write(&example.summit, 60).await;
    // The worker stores at its end what it has not stored before.
    let supervisor = Supervisor::new();
    supervisor.stop();
    work(Arc::clone(&example.summit), supervisor.token()).await;

    github.set_time(30);
    let example = example.restart(&github);
    example.summit.restore_writes().unwrap();
    write(&example.summit, 20).await;
    let pause = example.summit.app.take_turn(Class::Conclusion);
    let pause = pause.unwrap_err();
    assert!(pause <= Duration::from_secs(30), "{pause:?}");

    github.set_time(3600);
    let example = example.restart(&github);
    example.summit.restore_writes().unwrap();
    write(&example.summit, 80).await;
}
