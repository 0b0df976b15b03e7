//! The main job: a line is started, recipes are pushed, builds are followed to their end.

mod ask;
mod follow;
mod input;
mod installs;
mod inventory;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use service::{Clock, Supervisor};
use url::Url;

use crate::cli::Cli;
use crate::data::Data;
use crate::host_glibc::{self, Provided};
use crate::line::{self, Line, Options, REPOSITORY};
use crate::outcome::{Person, Urls};
use crate::people::{PACKAGER, with_token};
use crate::ports::{self, Ports};
use crate::recipes::{self, Recipes};
use crate::screen::{Lines, Screen};
use crate::{distfiles, environment, git, installed};

/// The branch that is published.
const BRANCH: &str = "main";

/// How long planning may take, from the push to the first build.
const PLANNING: Duration = Duration::from_secs(60);

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
    /// The services cannot listen where they did before.
    #[error(transparent)]
    Ports(#[from] ports::Error),
    /// A file in the data folder cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
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
    data: PathBuf,
    commit: String,
    urls: Urls,
    installs: installed::Folder,
}

impl Session {
    /// Starts a line in `data`. Where an earlier one left recipes there, says what is kept;
    /// otherwise pushes those that `cli` asks for.
    ///
    /// # Errors
    /// When something that is needed is not there or does not work.
    pub async fn start(
        cli: &Cli,
        data: &Data,
        supervisor: &Supervisor,
        screen: &Screen,
        lines: &mut Lines,
    ) -> Result<Self, Error> {
        let ports = Ports::open(data.path())?;
        let (recipes, archives) = input::read(cli, data)?;
        let mirror = distfiles::serve(&archives, ports.mirror, supervisor).await?;
        let mut options = Options::new(data.path().to_owned());
        options.mirrors = vec![mirror.pattern];
        options.ports = Ports {
            mirror: mirror.port,
            ..ports
        };
        let line = Line::start(&options, supervisor).await?;
        // Only now, when all of them listen: ports of which some were never had would be no help.
        line.ports.keep(data.path())?;
        if let Some(elsewhere) = &line.elsewhere {
            data.leave_outside(elsewhere.work.clone());
        }
        let head = line.forge.find_branch(REPOSITORY, BRANCH).await?;
        let mut session = Self {
            urls: urls(&line)?,
            line,
            http: reqwest::Client::new(),
            clock: Clock::system(),
            data: data.path().to_owned(),
            commit: head.as_ref().map(ToString::to_string).unwrap_or_default(),
            installs: installed::Folder::choose(data.path())?,
        };
        session.introduce(screen)?;
        if head.is_some() {
            // First of all: what was under way goes on meanwhile.
            session.go_on(cli, screen, lines).await?;
            session.provide_glibc(supervisor, screen).await?;
        } else {
            session.provide_glibc(supervisor, screen).await?;
            input::warn_of_absent(&recipes, &archives, screen);
            session.commit = session.push(&recipes, screen).await?;
        }
        Ok(session)
    }

    /// Says where everything is, who the people are, and how to begin.
    fn introduce(&self, screen: &Screen) -> Result<(), Error> {
        let path = self.data.join(environment::FILE);
        environment::write(&path, &self.urls, &self.line.people).map_err(|source| {
            let path = path.clone();
            Error::File { path, source }
        })?;
        screen.say(format!("forge   {}", self.urls.forge));
        screen.say(format!("summit  {}", self.urls.summit));
        screen.say(format!("vessel  {}", self.urls.vessel));
        screen.say(format!("data    {}", self.data.display()));
        if let Some(elsewhere) = &self.line.elsewhere {
            screen.say(format!(
                "Builds run in {}, as their user {} cannot pass {}. To have them in the data \
                 folder, let others pass (chmod o+x) or name another folder with --data.",
                elsewhere.work.display(),
                elsewhere.user,
                elsewhere.barrier.display()
            ));
        }
        screen.say("There is one pool of builders, this machine, and everything builds in it.");
        screen.say("People, who sign in with their login and token:");
        for person in self.people() {
            let Person { login, token, may } = person;
            screen.say(format!("  {login:<9} {token}  {may}"));
        }
        screen.say(format!("To have the recipes: {}", self.clone_command()));
        screen.say(format!(
            "To have addresses and tokens in a shell, as docs/trying.md does: {}",
            environment::command(&path)
        ));
        Ok(())
    }

    /// Before anything is pushed: summit and clients then find it in the channel like any other
    /// package.
    async fn provide_glibc(&self, supervisor: &Supervisor, screen: &Screen) -> Result<(), Error> {
        let place = host_glibc::Place {
            index: &self.urls.index,
            vessel: &self.line.importer,
            folder: self.data.join("host-glibc"),
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

    /// Says what is kept, and what comes next.
    async fn go_on(&self, cli: &Cli, screen: &Screen, lines: &mut Lines) -> Result<(), Error> {
        let inventory = self.inventory().await?;
        screen.say(format!(
            "Kept from an earlier start: {inventory}; {BRANCH} is at {:.10}.",
            self.commit
        ));
        if cli.recipes.is_some() || !cli.only.is_empty() {
            screen.say(
                "No recipes are pushed, as the repository has some: to begin anew with others, \
                 start with --fresh, which empties the data folder.",
            );
        }
        screen.say(inventory.next());
        lines.pass_over(&self.builds().await?);
        Ok(())
    }

    /// Pushes as a packager would; returns the commit.
    async fn push(&self, recipes: &Recipes, screen: &Screen) -> Result<String, Error> {
        let folder = self.data.join("packager");
        remove(&folder).map_err(|source| Error::File {
            path: folder.clone(),
            source,
        })?;
        recipes.write(&folder)?;
        let remote = git::Remote {
            url: self.urls.clone.as_str(),
            login: PACKAGER,
            token: self.line.people.packager().clone(),
        };
        let commit = git::commit_and_push(&folder, "Add the first recipes", &remote).await?;
        screen.say(format!(
            "Pushed {} as {commit:.10} to {}",
            match recipes.count() {
                1 => "1 recipe".to_owned(),
                count => format!("{count} recipes"),
            },
            self.urls.clone
        ));
        Ok(commit)
    }

    /// The line that clones the recipes with the packager's token.
    fn clone_command(&self) -> String {
        let url = with_token(
            self.urls.forge.as_str(),
            PACKAGER,
            self.line.people.packager(),
        );
        format!("git clone {url}")
    }

    fn people(&self) -> Vec<Person> {
        let people = self.line.people.iter();
        people
            .map(|(part, token)| Person::new(part, token))
            .collect()
    }
}

/// Removes what a push that was cut short left.
fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn urls(line: &Line) -> Result<Urls, url::ParseError> {
    Ok(Urls {
        forge: format!("{}/{REPOSITORY}", line.forge.url()).parse()?,
        clone: line.forge.clone_url(REPOSITORY).parse()?,
        summit: line.summit.clone(),
        vessel: line.repository.clone(),
        index: line
            .repository
            .join("main/stream/volatile/x86_64/stone.index")?,
        root_index: line.repository.join("main/moss-root-index.json")?,
    })
}
