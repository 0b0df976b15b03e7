//! `/rebuild` builds again.

use std::fmt::Write as _;

use jiff::Timestamp;
use moss_db::{Error, RwTxn};

use super::kind::{Ask, Command, Effect};
use crate::db::Tables;
use crate::domain::build::{Build, NotAgain};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::tail::escape;
use crate::github::Authorised;
use crate::usecase::rebuild::{self, Rebuilt};

pub(super) const COMMAND: Command = Command {
    name: "rebuild",
    arguments: Some("[RECIPE…]"),
    help: "Builds again what did not succeed. Recipes that are named are built again even if they \
           did.",
    effect: Effect::Change(run),
};

fn run(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    authorised: &Authorised<Ask>,
    now: Timestamp,
) -> Result<Receipt, Error> {
    let ask = authorised.asked();
    let builds = ask.builds(tables, txn)?;
    let chosen: Vec<Build> = match ask.choose(&builds) {
        Ok(chosen) if ask.arguments.is_empty() => {
            let unsuccessful = chosen.into_iter().filter(|build| !build.is_success());
            unsuccessful.cloned().collect()
        }
        Ok(chosen) => chosen.into_iter().cloned().collect(),
        Err(receipt) => return Ok(receipt),
    };
    if chosen.is_empty() {
        return Ok(nothing_to_choose(&builds));
    }
    let rebuilt = rebuild::all(tables, txn, &authorised.comes_to(chosen), now)?;
    Ok(answer(rebuilt))
}

/// The answer where no build is to be had again.
fn nothing_to_choose(builds: &[Build]) -> Receipt {
    let text = match builds.first() {
        None => "There is nothing to build again: this commit has no builds.".to_owned(),
        Some(build) => format!(
            "There is nothing to build again: all builds of this commit succeeded. To build one \
             again all the same, name its recipe, as in `/rebuild {}`.",
            build.recipe
        ),
    };
    Receipt::say(Reaction::Confused, text)
}

fn answer(rebuilt: Rebuilt) -> Receipt {
    match rebuilt {
        Rebuilt::Builds(_) => Receipt::done(Reaction::Rocket),
        Rebuilt::Nothing(reasons) => {
            let mut reasons: Vec<NotAgain> =
                reasons.into_iter().map(|(_, reason)| reason).collect();
            reasons.sort();
            reasons.dedup();
            let mut text = "Nothing is built again.".to_owned();
            match reasons.as_slice() {
                [reason] => {
                    let _ = write!(text, " {}", reason.explain());
                }
                reasons => {
                    text.push_str(" Each of the builds has one of these reasons:\n");
                    for reason in reasons {
                        let _ = write!(text, "\n- {}", reason.explain());
                    }
                }
            }
            Receipt::say(Reaction::Confused, text)
        }
        Rebuilt::Unapproved { author } => {
            let text = format!(
                "Nothing is built: {} has no write access to this repository, so nothing of this \
                 pull request is run.",
                escape(&author)
            );
            Receipt::say(Reaction::Confused, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{build, id};

    /// All that people are answered, as they read it.
    #[test]
    fn every_outcome_is_answered() {
        let nothing = |reasons: &[NotAgain]| {
            let reasons = reasons.iter().map(|reason| (id(1), *reason));
            answer(Rebuilt::Nothing(reasons.collect()))
        };
        let author = "*eve*".to_owned();
        let receipts = [
            answer(Rebuilt::Builds(vec![id(1)])),
            nothing_to_choose(&[]),
            nothing_to_choose(&[build(1, "nano")]),
            nothing(&[NotAgain::UnderWay]),
            nothing(&[NotAgain::SameRecipe, NotAgain::UnderWay, NotAgain::UnderWay]),
            answer(Rebuilt::Unapproved { author }),
        ];
        let mut all = String::new();
        for Receipt { reaction, text } in receipts {
            let _ = writeln!(all, "{}\n{}\n", reaction.name(), text.unwrap_or_default());
        }
        insta::assert_snapshot!(all);
    }
}
