//! What a session pushes, and the archives that it serves.

use std::path::{Path, PathBuf};

use super::Error;
use crate::cli::Cli;
use crate::data::Data;
use crate::recipes::Recipes;
use crate::screen::Screen;
use crate::{distfiles, examples};

/// How many archives that are not there are named.
const MOST_ABSENT: usize = 10;

/// The recipes, and the folder of their archives.
pub(super) fn read(cli: &Cli, data: &Data) -> Result<(Recipes, PathBuf), Error> {
    let (recipes, archives) = match (&cli.recipes, &cli.distfiles) {
        (Some(recipes), Some(distfiles)) => (Recipes::read(recipes)?, distfiles.clone()),
        // The command line takes them together only.
        (Some(_) | None, _) => {
            let folder = data.path().join("distfiles");
            distfiles::keep(&folder, &examples::archives())?;
            (examples::recipes(), folder)
        }
    };
    Ok((recipes.only(&cli.only)?, archives))
}

/// Says early what would else be found out by builds that wait for a network.
pub(super) fn warn_of_absent(recipes: &Recipes, archives: &Path, screen: &Screen) {
    let absent = distfiles::absent(archives, recipes);
    if absent.is_empty() {
        return;
    }
    screen.say(format!(
        "warning: these archives are not in {}, so that builds have to fetch them:",
        archives.display()
    ));
    for line in absent.iter().take(MOST_ABSENT) {
        screen.say(format!("  {line}"));
    }
    if let Some(more) = absent
        .len()
        .checked_sub(MOST_ABSENT)
        .filter(|more| *more > 0)
    {
        screen.say(format!("  and {more} more"));
    }
}
