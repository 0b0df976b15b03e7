//! How long builds and their logs are kept.

use jiff::{SignedDuration, Timestamp};

use super::build::{Build, State};

/// How long logs and builds are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Logs, counted from the end of their build.
    pub logs: SignedDuration,
    /// Builds, counted from their end.
    pub builds: SignedDuration,
}

/// Who still needs a build that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relevance {
    /// It is the current build of its recipe on a branch or an open pull request: the newest one,
    /// or the newest one that was published.
    Present,
    /// A build under way waits for it, or is held by it.
    Named,
    /// Only people who read old builds.
    Past,
    /// Only people who read old builds. The App cannot see the repository any more, so GitHub will
    /// never show it.
    Gone,
}

/// What to do with a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Keep it.
    Keep,
    /// Remove its logs.
    DropLogs,
    /// Remove it and its logs.
    Forget,
}

/// Decides what to do with `build` now.
pub fn judge(build: &Build, relevance: Relevance, keep: Keep, now: Timestamp) -> Verdict {
    match relevance {
        Relevance::Present | Relevance::Named => return Verdict::Keep,
        Relevance::Past | Relevance::Gone => {}
    }
    let Some(ended_at) = build.find_end() else {
        return Verdict::Keep;
    };
    // Removed now, its check run would stay open for ever. A run that GitHub refuses cannot be
    // concluded anyway.
    let is_to_be_shown = relevance == Relevance::Past && build.shown.refused.is_none();
    if is_to_be_shown && !build.is_shown() {
        return Verdict::Keep;
    }
    let age = now.duration_since(ended_at);
    if age >= keep.builds {
        Verdict::Forget
    } else if age >= keep.logs && build.has_logs() {
        Verdict::DropLogs
    } else {
        Verdict::Keep
    }
}

impl Build {
    /// When the last work for the build ended; none while there is work left.
    pub fn find_end(&self) -> Option<Timestamp> {
        match &self.state {
            State::Published { at, .. }
            | State::Cancelled { at, .. }
            | State::Superseded { at, .. } => Some(*at),
            State::Failed(failure) => Some(failure.at),
            // A pull request's build ends when its assets are released.
            State::Built(built) if !self.target.is_published() => built.released_at,
            State::Built(_)
            | State::Planned
            | State::Waiting { .. }
            | State::Queued { .. }
            | State::Building { .. }
            | State::Publishing { .. }
            | State::Held { .. } => None,
        }
    }

    /// True when the build's attempts may have logs.
    pub fn has_logs(&self) -> bool {
        self.attempts > 0 && self.logs_removed_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::Refused;
    use crate::domain::build::example::{at, every_state};

    const DAY: i64 = 24 * 3600;

    fn keep() -> Keep {
        Keep {
            logs: SignedDuration::from_secs(90 * DAY),
            builds: SignedDuration::from_secs(365 * DAY),
        }
    }

    fn after(days: i64) -> Timestamp {
        at(days * DAY + 100)
    }

    /// Only builds that have ended are removed, their logs first.
    #[test]
    fn what_has_ended_goes_in_time() {
        for (name, mut build) in every_state() {
            build.shown.seq = build.seq;
            build.attempts = 1;
            let judged = |days| judge(&build, Relevance::Past, keep(), after(days));
            let ended = build.is_settled() && !build.keeps_assets();
            assert_eq!(judged(80), Verdict::Keep, "{name}");
            let (early, late) = if ended {
                (Verdict::DropLogs, Verdict::Forget)
            } else {
                (Verdict::Keep, Verdict::Keep)
            };
            assert_eq!((judged(90), judged(365)), (early, late), "{name}");
        }
    }

    #[test]
    fn what_is_asked_for_stays() {
        for (name, mut build) in every_state() {
            build.shown.seq = build.seq;
            for relevance in [Relevance::Present, Relevance::Named] {
                let judged = judge(&build, relevance, keep(), after(9999));
                assert_eq!(judged, Verdict::Keep, "{name}");
            }
            build.shown.seq = build.seq - 1;
            let judged = |build: &Build| judge(build, Relevance::Past, keep(), after(9999));
            assert_eq!(judged(&build), Verdict::Keep, "{name}");
            let ended = build.find_end().is_some();
            let gone = judge(&build, Relevance::Gone, keep(), after(9999));
            assert_eq!(gone == Verdict::Forget, ended, "{name}");
            build.shown.refused = Some(Refused::again(None, "gone".to_owned(), 1, at(0)));
            assert_eq!(judged(&build) == Verdict::Forget, ended, "{name}");
        }
    }

    #[test]
    fn logs_go_once() {
        let (_, mut build) = every_state().pop().unwrap();
        build.shown.seq = build.seq;
        build.attempts = 1;
        build.logs_removed_at = Some(at(0));
        assert_eq!(
            judge(&build, Relevance::Past, keep(), after(100)),
            Verdict::Keep
        );
        build.logs_removed_at = None;
        build.attempts = 0;
        assert_eq!(
            judge(&build, Relevance::Past, keep(), after(100)),
            Verdict::Keep
        );
    }
}
