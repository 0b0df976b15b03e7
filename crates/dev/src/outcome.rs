//! How a run ended: for people as text, for scripts as one JSON object.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use api::id::{BuildId, HistoryId};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use summit::domain::build::{Build, Failure, State};
use url::Url;

use crate::installed::Installed;
use crate::people::Part;
use crate::screen::label;

/// The end state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndState {
    /// Whether the newest build of every recipe was published.
    pub published: bool,
    /// Why not, when it was not; or why what was published cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The sample program, installed from the index; none where it is not among the recipes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<Installed>,
    /// The newest history of the channel.
    pub history: Option<HistoryId>,
    /// The commit that is to be published.
    pub commit: String,
    /// The newest check run of each of these builds.
    pub check_runs: Vec<CheckRun>,
    /// The newest build of each recipe, in the order in which they were planned.
    pub builds: Vec<BuildEnd>,
    /// The packages that the channel's index lists, read back over HTTP.
    pub packages: Vec<String>,
    /// Where things are.
    pub urls: Urls,
    /// The folder in which everything is kept.
    pub data: PathBuf,
    /// Who can sign in, clone and push.
    pub people: Vec<Person>,
    /// A command that clones the recipes as one who may push.
    pub clone: String,
}

/// A person of the forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The login.
    pub login: &'static str,
    /// The token: git's password, the API's bearer token, and what the forge's pages ask for.
    pub token: String,
    /// What the person may do, in words.
    pub may: &'static str,
}

impl Person {
    /// The person with this part and token.
    pub fn new(part: &Part, token: &SecretString) -> Self {
        Self {
            login: part.login,
            token: token.expose_secret().to_owned(),
            may: part.may,
        }
    }
}

/// A check run on the forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRun {
    /// Its name.
    pub name: String,
    /// GitHub's word for how far it is.
    pub status: &'static str,
    /// GitHub's word for how it ended.
    pub conclusion: Option<&'static str>,
    /// Its heading.
    pub title: Option<String>,
    /// Where its details are.
    pub details_url: Option<String>,
}

/// A build on summit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildEnd {
    /// Its id.
    pub id: BuildId,
    /// The recipe.
    pub recipe: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: u64,
    /// The name of the state in which it is.
    pub state: &'static str,
    /// What the state means, in a sentence.
    pub explanation: String,
    /// The history that it was published in.
    pub history: Option<HistoryId>,
    /// Its page.
    pub url: Url,
    /// Its log.
    pub log: Url,
}

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Urls {
    /// The repository on the forge, with its check runs.
    pub forge: Url,
    /// Where the repository is cloned from.
    pub clone: Url,
    /// summit's page of all builds.
    pub summit: Url,
    /// vessel's page.
    pub vessel: Url,
    /// The channel's index.
    pub index: Url,
    /// What moss is given to find the channel.
    pub root_index: Url,
}

impl BuildEnd {
    /// The end of a build that summit shows below `summit`.
    pub fn new(build: &Build, summit: &Url) -> Self {
        let url = summit::domain::check_run::of_build::page(build, summit);
        let mut log = url.clone();
        log.set_path(&format!("{}/log", url.path()));
        Self {
            id: build.id,
            recipe: build.recipe.to_string(),
            version: build.version.clone(),
            release: build.release,
            state: build.state.name(),
            explanation: build.explain(),
            history: find_history(build),
            url,
            log,
        }
    }
}

/// The history that a build was published in.
pub fn find_history(build: &Build) -> Option<HistoryId> {
    find_publication(build).map(|(_, history)| history)
}

/// When a build was published, and in which history.
pub fn find_publication(build: &Build) -> Option<(Timestamp, HistoryId)> {
    match &build.state {
        State::Published { history, at } => Some((*at, history.clone())),
        State::Planned
        | State::Waiting { .. }
        | State::Queued { .. }
        | State::Building { .. }
        | State::Built(_)
        | State::Publishing { .. }
        | State::Held { .. }
        | State::Failed(_)
        | State::Cancelled { .. }
        | State::Superseded { .. } => None,
    }
}

/// Of `builds`, in the order in which they were planned, those that say what is published: the
/// newest one of each recipe. Pull requests are not published, and neither is a recipe that is gone.
pub fn current(builds: &[Build]) -> Vec<Build> {
    let mut seen = BTreeSet::new();
    let newest = builds
        .iter()
        .rev()
        .filter(|build| build.target.is_published())
        .filter(|build| seen.insert((build.repository, &build.target, &build.folder)));
    let mut current: Vec<Build> = newest
        .filter(|build| !matches!(build.state, State::Superseded { .. }))
        .cloned()
        .collect();
    current.reverse();
    current
}

/// Why not everything is published: the first failed build, else the first that is not published.
pub fn find_reason(builds: &[Build]) -> Option<String> {
    let failed = builds.iter().find(|b| matches!(b.state, State::Failed(_)));
    let build = failed.or_else(|| builds.iter().find(|build| find_history(build).is_none()))?;
    let mut phase = String::new();
    if let State::Failed(Failure {
        phase: Some(of), ..
    }) = &build.state
    {
        phase = format!(" in phase {of}");
    }
    Some(format!(
        "{} is {}{phase}: {}",
        label(build),
        build.state.name(),
        build.explain()
    ))
}

impl EndState {
    /// True when everything was published, and what is to be tried could be used.
    pub fn is_good(&self) -> bool {
        self.published && self.reason.is_none()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::from("Check runs\n");
        let runs = self.check_runs.iter();
        let width = runs.map(|run| run.name.len()).max().unwrap_or(0);
        for run in &self.check_runs {
            let conclusion = run.conclusion.unwrap_or(run.status);
            let title = run.title.as_deref().unwrap_or_default();
            let _ = writeln!(text, "  {:width$}  {conclusion:<9}  {title}", run.name);
        }
        text.push_str("Logs\n");
        for build in &self.builds {
            let _ = writeln!(text, "  {:width$}  {}", build.recipe, build.log);
        }
        let history = self.history.as_ref().map_or("none", HistoryId::as_str);
        let _ = writeln!(text, "History     {history}");
        let _ = writeln!(text, "Index       {}", self.urls.index);
        let _ = writeln!(text, "Root index  {}", self.urls.root_index);
        let _ = writeln!(text, "Forge       {}", self.urls.forge);
        let _ = writeln!(text, "summit      {}", self.urls.summit);
        let _ = writeln!(text, "vessel      {}", self.urls.vessel);
        let _ = writeln!(text, "Packages    {}", self.packages.join(" "));
        if let Some(installed) = &self.installed {
            let _ = writeln!(text, "Installed   {}", installed.folder.display());
            let _ = writeln!(text, "  {}", installed.packages.join(" "));
            let _ = writeln!(text, "  {} runs there and says:", installed.program);
            for line in installed.said.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
        let _ = writeln!(text, "Data        {}", self.data.display());
        let _ = writeln!(text, "Clone       {}", self.clone);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_checks_logs_and_addresses() {
        let url = |path: &str| Url::parse(&format!("http://127.0.0.1:1/{path}")).unwrap();
        let run = |name: &str, conclusion, title: &str| CheckRun {
            name: name.to_owned(),
            status: "completed",
            conclusion: Some(conclusion),
            title: Some(title.to_owned()),
            details_url: None,
        };
        let build = |recipe: &str| BuildEnd {
            id: BuildId::from_bytes([7; 16]),
            recipe: recipe.to_owned(),
            version: "1.0".to_owned(),
            release: 1,
            state: "published",
            explanation: "Published.".to_owned(),
            history: None,
            url: url("builds/7"),
            log: url("builds/7/log"),
        };
        let end = EndState {
            published: false,
            reason: Some("sneksay failed".to_owned()),
            history: Some("20260101-000000-abc".parse().unwrap()),
            commit: "c".repeat(40),
            check_runs: vec![
                run("build snekcoil", "success", "Published"),
                run("build sneksay", "failure", "Failed in phase check"),
            ],
            builds: vec![build("snekcoil"), build("sneksay")],
            installed: Some(Installed {
                program: "/usr/bin/sneksay".to_owned(),
                packages: vec!["snekcoil-1.0-1".to_owned(), "sneksay-1.0-1".to_owned()],
                folder: "/data/installed/root".into(),
                said: " ____\n< hi >".to_owned(),
            }),
            packages: vec!["snekcoil-1.0-1-1-x86_64".to_owned()],
            urls: Urls {
                forge: url("snekbook/recipes"),
                clone: url("snekbook/recipes.git"),
                summit: url("summit"),
                vessel: url("vessel"),
                index: url("stone.index"),
                root_index: url("moss-root-index.json"),
            },
            data: PathBuf::from("/home/user/.local/share/snekbook-dev"),
            people: Vec::new(),
            clone: "git clone http://packager:token@127.0.0.1:1/snekbook/recipes".to_owned(),
        };
        insta::assert_snapshot!(end.text());
    }

    /// A build as summit tells of it.
    fn build(number: u8, target: &serde_json::Value, folder: &str, state: &str) -> Build {
        let at = "2026-01-01T00:00:00Z";
        let state = match state {
            "superseded" => serde_json::json!({ "state": state, "by": null, "at": at }),
            _ => serde_json::json!({ "state": state }),
        };
        serde_json::from_value(serde_json::json!({
            "id": BuildId::from_bytes([number; 16]), "repository": 1, "target": target,
            "profile": "x86_64", "trust": { "trust": "writer" },
            "commit": "c".repeat(40), "folder": folder, "tree": "d".repeat(40), "recipe": folder,
            "version": "1", "release": number, "needs": [], "provides": [], "after": [],
            "cycle": [], "source_date_epoch": 0, "created_at": at, "warnings": [], "attempts": 0,
            "seq": 1, "state": state, "shown": { "seq": 0, "concluded": false, "past": [] },
        }))
        .unwrap()
    }

    #[test]
    fn the_newest_build_of_each_recipe_on_the_branch_counts() {
        let main = serde_json::json!({ "target": "branch", "name": "main" });
        let pull = serde_json::json!({ "target": "pull", "number": 1 });
        let builds = [
            build(1, &main, "nano", "planned"),
            build(2, &main, "vim", "planned"),
            build(3, &main, "nano", "planned"),
            build(4, &pull, "vim", "planned"),
            build(5, &main, "ed", "planned"),
            build(6, &main, "ed", "superseded"),
        ];
        let current = current(&builds);
        let releases: Vec<_> = current.iter().map(|build| build.release).collect();
        assert_eq!(releases, [2, 3]);
    }
}
