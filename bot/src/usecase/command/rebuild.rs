//! `/rebuild` builds again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use api::id::BuildId;
use jiff::Timestamp;
use moss_db::{Error, RwTxn};

use super::kind::{Ask, Command, Effect};
use crate::db::Tables;
use crate::domain::build::{Build, NotAgain, named};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::tail::{code, escape};
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
    let asked = authorised.comes_to(chosen);
    let rebuilt = rebuild::all(tables, txn, &asked, now)?;
    let has_begun = matches!(rebuilt, Rebuilt::Builds { .. });
    if has_begun && ask.arguments.is_empty() {
        // Nobody asked for what is under way.
        return Ok(Receipt::done(Reaction::Rocket));
    }
    Ok(answer(&rebuilt, asked.asked()))
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

/// The answer to what building these builds again came to.
fn answer(rebuilt: &Rebuilt, builds: &[Build]) -> Receipt {
    match rebuilt {
        Rebuilt::Builds { others, .. } if others.is_empty() => Receipt::done(Reaction::Rocket),
        Rebuilt::Builds { others, .. } => Receipt::say(
            Reaction::Rocket,
            format!("Not built again:\n{}", reasons(others, builds)),
        ),
        Rebuilt::Nothing(others) => Receipt::say(
            Reaction::Confused,
            format!("Nothing is built again:\n{}", reasons(others, builds)),
        ),
        Rebuilt::Unapproved { author } => {
            let text = format!(
                "Nothing is built: {} has no write access to this repository, so nothing of this \
                 pull request is run.",
                escape(author)
            );
            Receipt::say(Reaction::Confused, text)
        }
    }
}

/// A line for each reason, with the recipes that have it.
fn reasons(others: &[(BuildId, NotAgain)], builds: &[Build]) -> String {
    let mut recipes: BTreeMap<NotAgain, Vec<String>> = BTreeMap::new();
    for (id, reason) in others {
        let build = builds.iter().find(|build| build.id == *id);
        let name = build.map(|build| code(build.recipe.as_str()));
        recipes.entry(*reason).or_default().extend(name);
    }
    let mut lines = String::new();
    for (reason, recipes) in recipes {
        let _ = write!(lines, "\n- {}: {}", named(&recipes), reason.explain());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{build, id};

    /// All that people are answered, as they read it.
    #[test]
    fn every_outcome_is_answered() {
        let builds = [build(1, "nano"), build(2, "bash"), build(3, "zlib")];
        let others = [
            (id(1), NotAgain::UnderWay),
            (id(2), NotAgain::SameRecipe),
            (id(3), NotAgain::UnderWay),
        ];
        let begun = |others: &[(BuildId, NotAgain)]| Rebuilt::Builds {
            begun: vec![id(9)],
            others: others.to_vec(),
        };
        let author = "*eve*".to_owned();
        let receipts = [
            answer(&begun(&[]), &builds),
            answer(&begun(&others[..1]), &builds),
            nothing_to_choose(&[]),
            nothing_to_choose(&builds),
            answer(&Rebuilt::Nothing(others.to_vec()), &builds),
            answer(&Rebuilt::Unapproved { author }, &builds),
        ];
        let mut all = String::new();
        for receipt in receipts {
            let text = receipt.text.unwrap_or_default();
            let _ = writeln!(all, "{}\n{text}\n", receipt.reaction.name());
        }
        insta::assert_snapshot!(all);
    }
}
