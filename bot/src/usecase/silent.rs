//! The builders that do not answer about their attempts.

use std::collections::BTreeMap;

use api::id::ServiceName;

use super::Summit;
use crate::domain::build::{Stage, State};
use crate::domain::silence::Silence;
use crate::domain::under_way::UnderWay;

/// A builder that does not answer about its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentBuilder {
    /// Of all its attempts: the longest silence, the next try, the first end.
    pub silence: Silence,
    /// How many builds it has.
    pub builds: u64,
}

impl Summit {
    /// The builders that do not answer about their attempts.
    pub fn silent_builders(&self) -> BTreeMap<ServiceName, SilentBuilder> {
        silent_builders(&self.under_way())
    }
}

fn silent_builders(under_way: &UnderWay) -> BTreeMap<ServiceName, SilentBuilder> {
    let mut all: BTreeMap<ServiceName, SilentBuilder> = BTreeMap::new();
    for build in under_way.in_stage(Stage::Building) {
        let State::Building {
            builder,
            silence: Some(silence),
            ..
        } = &build.state
        else {
            continue;
        };
        let known = all.entry(builder.clone()).or_insert_with(|| SilentBuilder {
            silence: silence.clone(),
            builds: 0,
        });
        known.builds += 1;
        known.silence = Silence {
            since: known.silence.since.min(silence.since),
            next: known.silence.next.min(silence.next),
            until: known.silence.until.min(silence.until),
        };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::build::example::{at, build, silence};
    use crate::domain::build::{Build, Progress};

    fn building(number: u8, builder: &str, silence: Option<Silence>) -> Build {
        let mut build = build(number, "nano");
        build.attempts = 1;
        build.state = State::Building {
            builder: builder.parse().unwrap(),
            silence,
            progress: Progress::Ordered,
            since: at(0),
        };
        build
    }

    #[test]
    fn a_silent_builder_is_named_once_with_all_its_builds() {
        let later = Silence {
            since: at(7),
            next: at(50),
            until: at(307),
        };
        let under_way = UnderWay::new([
            building(1, "a", Some(silence())),
            building(2, "a", Some(later)),
            building(3, "b", None),
        ]);
        let known = SilentBuilder {
            silence: Silence {
                next: at(50),
                ..silence()
            },
            builds: 2,
        };
        assert_eq!(
            silent_builders(&under_way),
            [("a".parse().unwrap(), known)].into()
        );
    }
}
