//! How a run ended: for people as text, for scripts as one JSON object.

use std::fmt::Write as _;

use api::id::{BuildId, HistoryId};
use serde::Serialize;
use summit::domain::build::{Build, Failure, State};
use url::Url;

use crate::installed::Installed;
use crate::screen::label;

/// The end state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndState {
    /// Whether every build was published.
    pub published: bool,
    /// Why not, when it was not; or why what was published cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The sample program, installed from the index; none where it is not among the recipes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<Installed>,
    /// The newest history of the channel.
    pub history: Option<HistoryId>,
    /// The commit that was pushed.
    pub commit: String,
    /// The newest check run of each recipe.
    pub check_runs: Vec<CheckRun>,
    /// The builds, in the order in which they were planned.
    pub builds: Vec<BuildEnd>,
    /// The packages that the channel's index lists, read back over HTTP.
    pub packages: Vec<String>,
    /// Where things are.
    pub urls: Urls,
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
        let url = summit::domain::check_run::page(build, summit);
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
    match &build.state {
        State::Published { history, .. } => Some(history.clone()),
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
        };
        insta::assert_snapshot!(end.text());
    }
}
