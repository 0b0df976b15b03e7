//! `/status` tells how the builds of a commit stand.

use std::fmt::Write as _;

use moss_db::{Error, RoTxn};

use super::kind::{Ask, Command, Effect};
use crate::db::Tables;
use crate::domain::build::Build;
use crate::domain::command::{Reaction, Receipt};
use crate::domain::tail::{code, escape};

/// The most builds that an answer lists, so that it stays below GitHub's limit of a comment.
const MAX_LISTED: usize = 50;

pub(super) const COMMAND: Command = Command {
    name: "status",
    arguments: Some("[RECIPE…]"),
    help: "Tells how the builds stand, and what each waits for.",
    effect: Effect::Tell(run),
};

fn run(tables: &Tables, txn: &RoTxn<'_>, ask: &Ask) -> Result<Receipt, Error> {
    let builds = ask.builds(tables, txn)?;
    Ok(match ask.choose(&builds) {
        Ok(chosen) => tell(&chosen),
        Err(receipt) => receipt,
    })
}

/// What is told of these builds; the unsettled ones come first.
fn tell(builds: &[&Build]) -> Receipt {
    if builds.is_empty() {
        return Receipt::say(Reaction::ThumbsUp, "This commit has no builds.");
    }
    let (settled, open): (Vec<&Build>, Vec<&Build>) =
        builds.iter().partition(|build| build.is_settled());
    let mut text = format!("{} of {} builds are done.\n", settled.len(), builds.len());
    for build in open.iter().chain(&settled).take(MAX_LISTED) {
        let name = code(&format!(
            "{} {}-{}",
            build.recipe, build.version, build.release
        ));
        let _ = write!(text, "\n- {name}: {}", escape(&build.explain()));
    }
    let more = builds.len().saturating_sub(MAX_LISTED);
    if more > 0 {
        let _ = write!(text, "\n- and {more} more");
    }
    Receipt::say(Reaction::ThumbsUp, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{build, every_state};

    #[test]
    fn each_build_is_listed_with_what_it_waits_for() {
        let builds = every_state();
        let few: Vec<&Build> = builds.iter().map(|(_, build)| build).collect();
        insta::assert_snapshot!(tell(&few).text.unwrap());
        let many: Vec<Build> = (0..60).map(|number| build(number, "nano")).collect();
        let text = tell(&many.iter().collect::<Vec<_>>()).text.unwrap();
        assert_eq!(text.lines().count(), 2 + MAX_LISTED + 1, "{text}");
        assert!(text.starts_with("0 of 60 builds are done."), "{text}");
        assert!(text.ends_with("- and 10 more"), "{text}");
    }
}
