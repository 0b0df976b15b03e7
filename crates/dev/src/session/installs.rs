//! The last step: what was published is installed and run, as a user would.

use service::error::Chain;
use summit::domain::build::Build;

use super::{Error, Session};
use crate::installed::{self, Installed, SAMPLE};
use crate::screen::Screen;

/// What came of using what is published.
#[derive(Debug)]
pub(super) enum Used {
    /// The program ran.
    Ran(Installed),
    /// It cannot be used: why.
    Failed(String),
    /// There is no program to be tried.
    LeftOut,
}

impl Session {
    /// Installs and runs the sample program, if it is among `builds`, all of which are published.
    pub(super) async fn use_what_is_published(
        &self,
        builds: &[Build],
        screen: &Screen,
    ) -> Result<Used, Error> {
        if !builds.iter().any(|build| build.recipe.as_str() == SAMPLE) {
            screen.say(format!(
                "{SAMPLE} is not among the recipes: nothing is installed and run."
            ));
            return Ok(Used::LeftOut);
        }
        let executable = std::env::current_exe().map_err(Error::Executable)?;
        let (index, folder) = (&self.urls.index, self.installs.path());
        match installed::install_and_run(index, folder, executable).await {
            Ok(installed) => Ok(Used::Ran(installed)),
            Err(error) => Ok(Used::Failed(Chain(&error).to_string())),
        }
    }
}
