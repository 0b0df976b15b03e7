//! `/rebuild` builds again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use moss_db::{Error, RoTxn};

use super::kind::{Ask, Button, Change, Chosen, Command, Effect};
use crate::db::{Progress, Tables};
use crate::domain::build::{Bearing, Build, NoRebuild, named};
use crate::domain::command::{Reaction, Receipt};
use crate::domain::tail::{code, escape};
use crate::usecase::rebuild::{self, Rebuilt};

pub(super) const COMMAND: Command = Command {
    name: "rebuild",
    arguments: Some("[RECIPE…]"),
    help: "Rebuilds all recipes whose build did not succeed. If you name recipes, it rebuilds only \
           those, even if their build succeeded.",
    effect: Effect::Change(Change {
        choose,
        part: rebuild::part,
        answer: conclude,
    }),
    button: Some(Button {
        label: "Rebuild",
        description: "Rebuilds this recipe",
        fits: |build| build.bearing() != Bearing::Success && build.why_no_rebuild().is_none(),
    }),
};

fn choose(tables: &Tables, txn: &RoTxn<'_>, ask: &Ask) -> Result<Chosen, Error> {
    let builds = ask.builds(tables, txn)?;
    let chosen: Vec<Build> = match ask.choose(&builds) {
        Ok(chosen) if ask.arguments.is_empty() => {
            let unsuccessful = chosen.into_iter().filter(|build| !build.is_success());
            unsuccessful.cloned().collect()
        }
        Ok(chosen) => chosen.into_iter().cloned().collect(),
        Err(receipt) => return Ok(Err(receipt)),
    };
    Ok(match chosen.is_empty() {
        true => Err(nothing_to_choose(&builds)),
        false => Ok(Progress::of(&chosen)),
    })
}

fn conclude(
    tables: &Tables,
    txn: &RoTxn<'_>,
    ask: &Ask,
    progress: Progress,
) -> Result<Receipt, Error> {
    let rebuilt = rebuild::outcome(tables, txn, progress)?;
    let has_begun = matches!(rebuilt, Rebuilt::Builds { .. });
    Ok(match has_begun && ask.arguments.is_empty() {
        // The builds are already under way, so there is nothing more to say.
        true => Receipt::done(Reaction::Rocket),
        false => answer(&rebuilt),
    })
}

/// The answer when no build can be built again.
fn nothing_to_choose(builds: &[Build]) -> Receipt {
    let text = match builds.first() {
        None => "There is nothing to rebuild: this commit has no builds.".to_owned(),
        Some(build) => format!(
            "There is nothing to rebuild: all builds of this commit succeeded. To rebuild one \
             anyway, name its recipe, as in `/rebuild {}`.",
            build.recipe
        ),
    };
    Receipt::say(Reaction::Confused, text)
}

/// The answer after building again.
fn answer(rebuilt: &Rebuilt) -> Receipt {
    match rebuilt {
        Rebuilt::Builds { others, .. } if others.is_empty() => Receipt::done(Reaction::Rocket),
        Rebuilt::Builds { others, .. } => Receipt::say(
            Reaction::Rocket,
            format!("Not rebuilt:\n{}", reasons(others)),
        ),
        Rebuilt::Nothing(others) => Receipt::say(
            Reaction::Confused,
            format!("Nothing is rebuilt:\n{}", reasons(others)),
        ),
        Rebuilt::Unapproved(stranger) => {
            let text = format!("Nothing is rebuilt: {}", escape(&stranger.explain()));
            Receipt::say(Reaction::Confused, text)
        }
    }
}

/// One line for each reason, with the recipes that it applies to.
fn reasons(others: &[(Build, NoRebuild)]) -> String {
    let mut recipes: BTreeMap<NoRebuild, Vec<String>> = BTreeMap::new();
    for (build, reason) in others {
        let name = code(build.recipe.as_str());
        recipes.entry(*reason).or_default().push(name);
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
    use crate::domain::trust::{Doubt, Stranger};

    /// All answers, as people read them.
    #[test]
    fn every_outcome_is_answered() {
        let builds = [build(1, "nano"), build(2, "bash"), build(3, "zlib")];
        let others = [
            (builds[0].clone(), NoRebuild::UnderWay),
            (builds[1].clone(), NoRebuild::SameRecipe),
            (builds[2].clone(), NoRebuild::UnderWay),
        ];
        let begun = |others: &[(Build, NoRebuild)]| Rebuilt::Builds {
            begun: vec![id(9)],
            others: others.to_vec(),
        };
        let stranger = Stranger {
            author: "*eve*".to_owned(),
            doubt: Doubt::MayNotWrite,
        };
        let receipts = [
            answer(&begun(&[])),
            answer(&begun(&others[..1])),
            nothing_to_choose(&[]),
            nothing_to_choose(&builds),
            answer(&Rebuilt::Nothing(others.to_vec())),
            answer(&Rebuilt::Unapproved(stranger)),
        ];
        let mut all = String::new();
        for receipt in receipts {
            let text = receipt.text.unwrap_or_default();
            let _ = writeln!(all, "{}\n{text}\n", receipt.reaction.name());
        }
        insta::assert_snapshot!(all);
    }
}
