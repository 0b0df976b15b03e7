//! The state of a build in a sentence, with the reason when the build does not move. All pages and
//! check runs take the sentence from here, so that they agree.

use api::import;

use super::{Build, By, FailureKind, Hold, Progress, Scope, State};

/// How many names a sentence lists; it only counts the rest.
const MAX_NAMED: usize = 20;

impl Build {
    /// The build's state in a sentence or two, with the reason when it does not move. It is plain
    /// text: the caller escapes it.
    pub fn explain(&self) -> String {
        match &self.state {
            State::Planned => "Planned; the scheduler has not looked at it yet.".to_owned(),
            State::Waiting { on } => match on.len() {
                1 => "Waiting for 1 build that it depends on.".to_owned(),
                n => format!("Waiting for {n} builds that it depends on."),
            },
            State::Queued { reason, .. } => self.explain_queued(reason.as_deref()),
            State::Building {
                builder,
                silence: Some(silence),
                ..
            } => silence.explain(builder),
            State::Building {
                builder, progress, ..
            } => match progress {
                Progress::Ordered => format!("summit is sending the order to {builder}."),
                Progress::Accepted { ahead: 0 } => format!("Next in the queue of {builder}."),
                Progress::Accepted { ahead: 1 } => {
                    format!("In the queue of {builder} behind 1 other attempt.")
                }
                Progress::Accepted { ahead } => {
                    format!("In the queue of {builder} behind {ahead} other attempts.")
                }
                Progress::Running { phase, .. } => format!("On {builder}, in phase {phase}."),
            },
            State::Built(built) if self.target.is_published() && self.cycle.len() > 1 => format!(
                "Built on {}. vessel imports all {} builds of its cycle together, once all of \
                 them are built.",
                built.builder,
                self.cycle.len()
            ),
            State::Built(built) if self.target.is_published() => {
                format!("Built on {}; waiting to be published.", built.builder)
            }
            State::Built(built) => format!("Built on {}.", built.builder),
            State::Publishing {
                import,
                standing: None,
                ..
            } => format!("vessel is publishing it in import {import}."),
            State::Publishing {
                import,
                standing: Some(standing),
                ..
            } => format!("Import {import}: {standing}."),
            State::Published { history, .. } => format!("Published in history {history}."),
            State::Held { by, .. } => match self.scope.describe() {
                Some(recipes) => format!("{} {recipes}", by.explain()),
                None => by.explain(),
            },
            State::Failed(failure) => failure.message.clone(),
            State::Cancelled { by, .. } => by.explain(),
            State::Superseded { by: Some(_), .. } => {
                "A newer build of the recipe took its place.".to_owned()
            }
            State::Superseded { by: None, .. } => {
                "The newest plan no longer includes it, for example because the recipe was deleted."
                    .to_owned()
            }
        }
    }
}

impl Build {
    /// What a standstill says goes for all builds, and is newer than the reason of this one.
    fn explain_queued(&self, reason: Option<&str>) -> String {
        match (self.standstill.as_deref(), reason) {
            (None, None) => "Ready; waiting for a builder.".to_owned(),
            (None, Some(reason)) if self.waits_for_sources() => {
                format!("Waiting for the next attempt: {reason}.")
            }
            (Some(reason), _) | (None, Some(reason)) => {
                format!("Ready; waiting for a builder: {reason}.")
            }
        }
    }

    /// A label for people: the recipe with its version and release. It is plain text: the caller
    /// escapes it.
    pub(crate) fn label(&self) -> String {
        let profile = match self.find_told_profile() {
            Some(profile) => format!(" ({profile})"),
            None => String::new(),
        };
        match &self.scope {
            Scope::All { count, .. } => counted(*count),
            // A recipe that cannot be read has no version.
            Scope::Recipe if self.version.is_empty() => format!("{}{profile}", self.recipe),
            Scope::Recipe => {
                format!("{} {}-{}{profile}", self.recipe, self.version, self.release)
            }
        }
    }
}

impl Build {
    /// Like [`Self::explain`], for a place that also shows each annotation at its line, so that no
    /// text appears twice.
    pub fn explain_beside_remarks(&self) -> String {
        let State::Failed(failure) = &self.state else {
            return self.explain();
        };
        let errors = failure.annotations.iter().filter(|remark| remark.is_error);
        match (failure.kind, errors.count()) {
            (FailureKind::Recipe, 1) => "The recipe has an error, shown at its line.".to_owned(),
            (FailureKind::Recipe, count @ 2..) => {
                format!("The recipe has {count} errors, each shown at its line.")
            }
            _ => self.explain(),
        }
    }
}

impl Scope {
    /// A sentence with the recipes of a placeholder build; none for a build of one recipe, or when
    /// the recipes are not known.
    fn describe(&self) -> Option<String> {
        match self {
            Self::Recipe | Self::All { count: 0, .. } => None,
            Self::All { count, named } => {
                let folders: Vec<String> = named.iter().map(ToString::to_string).collect();
                let folders = match count.saturating_sub(folders.len()) {
                    0 => folders.join(", "),
                    more => format!("{} and {more} more", folders.join(", ")),
                };
                let recipes = counted(*count);
                let verb = if *count == 1 { "waits" } else { "wait" };
                Some(format!("{recipes} {verb} for approval: {folders}."))
            }
        }
    }
}

/// `1 recipe` or `7 recipes`.
pub(crate) fn counted(count: usize) -> String {
    match count {
        1 => "1 recipe".to_owned(),
        n => format!("{n} recipes"),
    }
}

impl Hold {
    /// The hold in a sentence or two.
    pub(crate) fn explain(&self) -> String {
        match self {
            Self::Build { recipe, .. } => {
                format!(
                    "It needs {recipe}, but the build of {recipe} did not succeed. It starts by \
                     itself once a build of {recipe} succeeds."
                )
            }
            Self::Suspected { missing, of } => {
                let recipes: Vec<String> = of.iter().map(|one| one.recipe.clone()).collect();
                let builds = match of.len() {
                    1 => "The build of",
                    _ => "The builds of",
                };
                format!(
                    "Nothing provides {}. {builds} {} might provide it, but did not succeed.",
                    named(missing),
                    named(&recipes)
                )
            }
            Self::Needs { missing } => format!(
                "Nothing provides {}: neither the channel, nor a builder's host, nor an earlier \
                 build. It starts by itself once that changes.",
                named(missing)
            ),
            Self::Scattered { .. } => format!(
                "Some dependencies must come from a builder's host, but no single host has all of \
                 them: {}.",
                self.describe()
            ),
            Self::TooLarge { reason } => reason.clone(),
            Self::Approval(stranger) => format!(
                "{} Somebody with write access can push the branch to the repository and open a \
                 pull request from there.",
                stranger.explain()
            ),
            Self::Draft => "The pull request is a draft. summit builds it once it is marked as \
                            ready for review. Until then a comment with /rebuild builds it."
                .to_owned(),
        }
    }
}

impl Hold {
    /// The reason of the hold, as a part of a sentence.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Build { recipe, .. } => format!("the build of {recipe} did not succeed"),
            Self::Needs { missing } | Self::Suspected { missing, .. } => {
                format!("nothing provides {} yet", named(missing))
            }
            Self::Scattered { lacking } => {
                let each = lacking.iter();
                let each = each.map(|(name, lacks)| format!("{name} lacks {}", named(lacks)));
                each.collect::<Vec<_>>().join("; ")
            }
            Self::TooLarge { reason } => reason.trim_end_matches('.').to_owned(),
            Self::Approval(stranger) => stranger.describe(),
            Self::Draft => "the pull request is a draft".to_owned(),
        }
    }
}

/// The state of an import, as a part of a sentence; none when the import has ended.
pub(super) fn standing(state: &import::State) -> Option<String> {
    match state {
        import::State::Accepted { ahead: 0 } => Some("next in vessel's queue".to_owned()),
        import::State::Accepted { ahead: 1 } => {
            Some("in vessel's queue behind 1 other import".to_owned())
        }
        import::State::Accepted { ahead } => {
            Some(format!("in vessel's queue behind {ahead} other imports"))
        }
        import::State::Fetching { done, total } => {
            Some(format!("vessel has {done} of {total} stones"))
        }
        import::State::Waiting { on, until } => Some(format!(
            "vessel is waiting ({}) and tries again at {}",
            on.trim_end_matches('.'),
            until.strftime("%H:%M:%S UTC")
        )),
        import::State::Publishing => Some("vessel is writing the index".to_owned()),
        import::State::Published { .. } | import::State::Refused { .. } => None,
    }
}

/// The first of `names`, and the number of the others.
pub(crate) fn named(names: &[String]) -> String {
    let first = names[..names.len().min(MAX_NAMED)].join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl By {
    fn explain(&self) -> String {
        match self {
            Self::AlreadyPublished { release } => format!(
                "Release {release} is published already. Raise `release` to publish the change."
            ),
            Self::PullClosed => "The pull request was closed.".to_owned(),
            Self::GroupGone => "The merge queue merged the group or took it apart.".to_owned(),
            Self::RepositoryGone => {
                "The repository is gone, or the App is not installed in it any more.".to_owned()
            }
            Self::Person { login } => format!("Cancelled by {login}."),
        }
    }
}
