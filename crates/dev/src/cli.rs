//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser};

use crate::data::{self, Beginning, Place};

/// Runs the whole line in one process on this machine: a forge, summit, avalanche and vessel.
///
/// It pushes the sample recipes to the forge, shows how they are built and published, prints where
/// everything is, who the people are and a line that clones the recipes, and goes on telling what
/// is built until Ctrl-C. The next start goes on with what the last one left. There is one pool of
/// builders, for everything: do not point it at recipes that you do not trust.
#[derive(Debug, Clone, Parser)]
#[command(name = "snekbook-dev", version)]
pub struct Cli {
    /// End when all builds have ended: with 0 if all is published, else with 1 and the reason.
    #[arg(long)]
    pub once: bool,

    /// Print the end state as one JSON object on the standard output; the people's tokens are in
    /// it.
    #[arg(long)]
    pub json: bool,

    /// Keep everything in this folder: a new or empty one, or one of an earlier run, with which
    /// this one goes on. [default: snekbook-dev in $XDG_DATA_HOME or ~/.local/share; with --once a
    /// temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Empty the data folder first, if it is one of an earlier run, and begin anew.
    #[arg(long)]
    pub fresh: bool,

    /// Push the recipes of this folder instead of the samples: every folder in it with a
    /// stone.yaml. Recipes that the data folder has from an earlier run stay as they are.
    #[arg(long, value_name = "DIR", requires = "distfiles")]
    pub recipes: Option<PathBuf>,

    /// Serve the files of this folder, each named by its SHA-256, as a mirror of the recipes'
    /// archives.
    #[arg(long, value_name = "DIR", requires = "recipes")]
    pub distfiles: Option<PathBuf>,

    /// Push only these recipes.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Say more: -v what the services do, -vv their inner workings.
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Cli {
    /// Where the data are kept.
    ///
    /// # Errors
    /// When no folder is named and the user has none.
    pub fn place(&self) -> Result<Place, data::Error> {
        match &self.data {
            Some(folder) => Ok(Place::Kept(folder.clone())),
            None if self.once => Ok(Place::Temporary),
            None => Ok(Place::Kept(data::home()?)),
        }
    }

    /// What becomes of data that are there.
    pub fn beginning(&self) -> Beginning {
        if self.fresh {
            Beginning::Fresh
        } else {
            Beginning::GoOn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_help_says_what_is_needed() {
        Cli::command().debug_assert();
        let help = Cli::command().term_width(100).render_long_help();
        insta::assert_snapshot!(help);
    }

    #[test]
    fn recipes_need_their_archives() {
        let error = Cli::try_parse_from(["snekbook-dev", "--recipes", "r"]).unwrap_err();
        assert!(error.to_string().contains("--distfiles <DIR>"), "{error}");
        let cli = Cli::try_parse_from(["snekbook-dev", "--only", "a,b", "--only", "c"]).unwrap();
        assert_eq!(cli.only, ["a", "b", "c"]);
    }
}
