//! The whole script of a phase.

use super::context::Context;
use super::expand::{ExpandError, expand};
use crate::recipe::{Phase, Recipe};

/// The bash script of one phase, or `None` where the recipe has none for it.
///
/// It exports the build's variables, goes to the work folder, and runs the
/// recipe's `environment` and then the phase, under errexit, pipefail and
/// nounset, and with xtrace from there on.
///
/// # Errors
/// [`ExpandError`] with the place in the recipe.
pub fn assemble(
    recipe: &Recipe,
    phase: Phase,
    context: &Context,
) -> Result<Option<String>, ExpandError> {
    let Some(script) = recipe.scripts.of(phase) else {
        return Ok(None);
    };
    let mut out = String::from("#!/usr/bin/env bash\n");
    out.push_str(&format!(
        "# {} {}-{}: {phase}\n",
        context.name, context.version, context.release
    ));
    out.push_str("set -o errexit -o pipefail -o nounset\n");
    for (name, value) in context.variables() {
        out.push_str(&format!("export {name}={}\n", quoted(&value)));
    }
    out.push_str(&format!(
        "cd {}\n",
        quoted(context.folders.workdir.as_str())
    ));
    out.push_str("set -o xtrace\n");
    if let Some(environment) = &recipe.scripts.environment {
        out.push_str(&expand(environment, context)?);
        end_line(&mut out);
    }
    out.push_str(&expand(script, context)?);
    end_line(&mut out);
    Ok(Some(out))
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

/// The text as one word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
