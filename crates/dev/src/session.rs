//! The main job: a line is started, recipes are pushed, builds are followed to their end.

mod follow;
mod installs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use forge::Role;
use service::{Clock, Supervisor};
use url::Url;

use crate::cli::Cli;
use crate::data::{self, Data};
use crate::host_glibc::{self, Provided};
use crate::line::{self, Line, ORGANISATION, Options};
use crate::outcome::Urls;
use crate::recipes::{self, Recipes};
use crate::screen::Screen;
use crate::{distfiles, examples, git, installed};

/// The person who pushes.
const PACKAGER: &str = "packager";

/// The repository that is pushed to.
const REPOSITORY: &str = "recipes";

/// How long planning may take, from the push to the first build.
const PLANNING: Duration = Duration::from_secs(60);

/// How many archives that are not there are named.
const MOST_ABSENT: usize = 10;

/// The main job cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no recipes.
    #[error(transparent)]
    Recipes(#[from] recipes::Error),
    /// The line cannot start.
    #[error("the line cannot start")]
    Line(#[from] line::StartError),
    /// The archives cannot be served.
    #[error("the archives cannot be served")]
    Distfiles(#[from] distfiles::Error),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The forge refuses what a packager does.
    #[error("the forge refuses it")]
    Forge(#[from] forge::Refused),
    /// The recipes cannot be pushed.
    #[error("the recipes cannot be pushed")]
    Push(#[from] git::Error),
    /// A service does not answer.
    #[error("cannot read {url}")]
    Call {
        /// What was asked.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// The index cannot be read.
    #[error("the index cannot be read")]
    Index(#[from] moss_format::stone::Error),
    /// A check run does not end.
    #[error("a build has ended and its check run has not")]
    CheckRun(#[from] forge::TimedOut),
    /// summit does not see the push.
    #[error("summit planned no build within {} seconds of the push", PLANNING.as_secs())]
    NothingPlanned,
    /// The channel would lack what every program needs.
    #[error("the channel cannot begin with the C library of this machine")]
    HostGlibc(#[from] host_glibc::Error),
    /// There is no folder to install into.
    #[error("nothing can be installed")]
    Installed(#[from] installed::Error),
    /// The executable does not know where it is.
    #[error("this program does not know where its file is")]
    Executable(#[source] std::io::Error),
    /// A service's address makes no URL.
    #[error("an address makes no URL")]
    Url(#[from] url::ParseError),
}

/// A line at work on recipes.
#[derive(Debug)]
pub struct Session {
    line: Line,
    http: reqwest::Client,
    clock: Clock,
    repository: String,
    commit: String,
    urls: Urls,
    installs: installed::Folder,
}

impl Session {
    /// Starts a line in `data` and pushes the recipes that `cli` asks for.
    ///
    /// # Errors
    /// When something that is needed is not there or does not work.
    pub async fn start(
        cli: &Cli,
        data: &Data,
        supervisor: &Supervisor,
        screen: &Screen,
    ) -> Result<Self, Error> {
        let (recipes, archives) = input(cli, data)?;
        warn_of_absent(&distfiles::absent(&archives, &recipes), &archives, screen);
        let mut options = Options::new(data.path().to_owned());
        options.mirrors = vec![distfiles::serve(&archives, supervisor).await?];
        let line = Line::start(&options, supervisor).await?;
        let repository = format!("{ORGANISATION}/{REPOSITORY}");
        line.forge.ensure_user(PACKAGER)?;
        line.forge.ensure_repository(&repository).await?;
        line.forge.set_role(&repository, PACKAGER, Role::Write)?;
        let urls = urls(&line, &repository)?;
        screen.say(format!("forge   {}", urls.forge));
        screen.say(format!("summit  {}", urls.summit));
        screen.say(format!("vessel  {}", urls.vessel));
        screen.say("There is one pool of builders, this machine, and everything builds in it.");
        provide_glibc(&line, &urls, data, supervisor, screen).await?;
        let commit = push(&line, &recipes, data, &repository).await?;
        screen.say(format!(
            "Pushed {} as {commit:.10} to {}",
            match recipes.count() {
                1 => "1 recipe".to_owned(),
                count => format!("{count} recipes"),
            },
            urls.clone
        ));
        Ok(Self {
            line,
            http: reqwest::Client::new(),
            clock: Clock::system(),
            repository,
            commit,
            urls,
            installs: installed::Folder::choose(data.path())?,
        })
    }
}

/// Before anything is pushed: summit and clients then find it in the channel like any other package.
async fn provide_glibc(
    line: &Line,
    urls: &Urls,
    data: &Data,
    supervisor: &Supervisor,
    screen: &Screen,
) -> Result<(), Error> {
    let place = host_glibc::Place {
        index: &urls.index,
        vessel: &line.importer,
        folder: data.path().join("host-glibc"),
        loader: host_glibc::LOADER.into(),
    };
    if let Provided::Imported(name) = host_glibc::provide(&place, supervisor).await? {
        screen.say(format!(
            "Published {name}, the C library of this machine: there is no base channel yet, and \
             programs need one."
        ));
    }
    Ok(())
}

/// Says early what would else be found out by builds that wait for a network.
fn warn_of_absent(absent: &[String], archives: &Path, screen: &Screen) {
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

/// The recipes, and the folder of their archives.
fn input(cli: &Cli, data: &Data) -> Result<(Recipes, PathBuf), Error> {
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

fn urls(line: &Line, repository: &str) -> Result<Urls, url::ParseError> {
    Ok(Urls {
        forge: format!("{}/{repository}", line.forge.url()).parse()?,
        clone: line.forge.clone_url(repository).parse()?,
        summit: line.summit.clone(),
        vessel: line.repository.clone(),
        index: line
            .repository
            .join("main/stream/volatile/x86_64/stone.index")?,
        root_index: line.repository.join("main/moss-root-index.json")?,
    })
}

/// Pushes as a packager would; returns the commit.
async fn push(
    line: &Line,
    recipes: &Recipes,
    data: &Data,
    repository: &str,
) -> Result<String, Error> {
    let folder = data.path().join("packager");
    recipes.write(&folder)?;
    let url = line.forge.clone_url(repository);
    let remote = git::Remote {
        url: &url,
        login: PACKAGER,
        token: line.forge.mint_token(PACKAGER)?,
    };
    Ok(git::commit_and_push(&folder, "Add the first recipes", &remote).await?)
}
