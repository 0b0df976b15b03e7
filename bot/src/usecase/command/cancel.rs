//! `/cancel` cancels builds that are under way.

use jiff::Timestamp;
use moss_db::{Error, RoTxn};

use super::kind::{Ask, Change, Chosen, Command, Effect};
use crate::db::{ChangeError, Progress, Tables, Write};
use crate::domain::build::{By, Event, Stage, named};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::tail::code;
use crate::github::Authorised;

pub(super) const COMMAND: Command = Command {
    name: "cancel",
    arguments: Some("[RECIPE…]"),
    help: "Cancels all builds under way, or only those of the recipes that you name. It does not \
           stop builds that vessel is publishing.",
    effect: Effect::Change(Change {
        choose,
        part,
        answer: conclude,
    }),
    button: None,
};

fn choose(tables: &Tables, txn: &RoTxn<'_>, ask: &Ask) -> Result<Chosen, Error> {
    let builds = ask.builds(tables, txn)?;
    Ok(ask.choose(&builds).map(|chosen| {
        let open = chosen.into_iter().filter(|build| !build.is_settled());
        Progress::of(&open.cloned().collect::<Vec<_>>())
    }))
}

fn part(
    tables: &Tables,
    txn: &mut Write<'_, '_>,
    asked: &Authorised<Progress>,
    login: &str,
    now: Timestamp,
) -> Result<Progress, Error> {
    let mut progress = asked.asked().clone();
    for id in progress.take_part() {
        let by = By::Person {
            login: login.to_owned(),
        };
        match tables.change(txn, id, Event::Cancelled(by), now) {
            Ok(_) => progress.done.push((id, id)),
            Err(ChangeError::Illegal(_)) => progress.refused.push((id, None)),
            Err(ChangeError::Storage(error)) => return Err(error),
            // The build was removed after the command began.
            Err(ChangeError::Unknown(_)) => {}
        }
    }
    Ok(progress)
}

fn conclude(
    tables: &Tables,
    txn: &RoTxn<'_>,
    _: &Ask,
    progress: Progress,
) -> Result<Receipt, Error> {
    let mut too_late = Vec::new();
    for (id, _) in &progress.refused {
        // A build that ended meanwhile is over. It does not count as too late.
        let build = tables.find_build(txn, *id)?;
        let build = build.filter(|build| build.state.stage() == Stage::Publishing);
        too_late.extend(build.map(|build| code(build.recipe.as_str())));
    }
    Ok(answer(progress.done.len(), too_late))
}

/// The answer after `cancelled` builds were cancelled and `too_late` ones were not.
fn answer(cancelled: usize, too_late: Vec<String>) -> Receipt {
    let late = match too_late.is_empty() {
        true => None,
        false => Some(format!(
            "Too late to cancel {}: vessel is already publishing the stones.",
            named(&too_late)
        )),
    };
    match (cancelled, late) {
        (0, None) => Receipt::say(
            Reaction::Confused,
            "There is nothing to cancel: none of these builds is under way.",
        ),
        (0, Some(late)) => Receipt::say(Reaction::Confused, late),
        (_, None) => Receipt::done(Reaction::ThumbsUp),
        (_, Some(late)) => Receipt::say(Reaction::ThumbsUp, late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::store;
    use crate::domain::build::State;
    use crate::domain::build::example::{at, build, id, pull};
    use crate::domain::name::RepositoryId;
    use crate::github::Role;

    #[test]
    fn what_is_named_is_cancelled_and_nothing_of_another_target() {
        let store = store();
        let branch = build(1, "nano");
        let [mut nano, mut bash] = [build(2, "nano"), build(3, "bash")];
        for build in [&mut nano, &mut bash] {
            build.target = pull();
        }
        store.put(&[&branch, &nano, &bash]);
        let cancel = |arguments: &[&str]| {
            let ask = Ask {
                repository: RepositoryId::new(1),
                commit: Some(branch.commit),
                target: Some(pull()),
                arguments: arguments.iter().map(|name| (*name).to_owned()).collect(),
                standstill: std::collections::BTreeMap::new(),
            };
            let read = store.env.read(|txn| choose(&store.tables, txn, &ask));
            let progress = match read.unwrap() {
                Ok(progress) => Role::writer().authorise(progress).unwrap(),
                Err(receipt) => return receipt.reaction,
            };
            let done = store.write(|txn| part(&store.tables, txn, &progress, "ada", at(9)));
            let done = done.unwrap();
            assert!(done.is_done(), "{done:?} of a few builds");
            let receipt = store
                .env
                .read(|txn| conclude(&store.tables, txn, &ask, done));
            receipt.unwrap().reaction
        };
        let cancelled = || {
            [1, 2, 3].map(|number| matches!(store.find(id(number)).state, State::Cancelled { .. }))
        };
        assert_eq!(cancel(&["bash", "nope"]), Reaction::Confused);
        assert_eq!(cancelled(), [false, false, false]);
        assert_eq!(cancel(&["bash"]), Reaction::ThumbsUp);
        assert_eq!(cancelled(), [false, false, true]);
        assert_eq!(cancel(&[]), Reaction::ThumbsUp);
        assert_eq!(cancelled(), [false, true, true]);
        assert_eq!(cancel(&[]), Reaction::Confused);
    }

    /// All answers, as people read them.
    #[test]
    fn every_outcome_is_answered() {
        let late = || vec!["`nano`".to_owned(), "`bash`".to_owned()];
        let receipts = [
            answer(0, Vec::new()),
            answer(0, late()),
            answer(2, Vec::new()),
            answer(2, late()),
        ];
        let all = receipts.map(|receipt| {
            let text = receipt.text.unwrap_or_default();
            format!("{}\n{text}\n", receipt.reaction.name())
        });
        insta::assert_snapshot!(all.join("\n"));
    }
}
