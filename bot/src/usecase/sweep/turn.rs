//! Which repositories a sweep asks for: those that the listing says have moved, and some of the
//! others in turn.
//!
//! The listing shows pushes and how many pull requests are open. It does not show all: a pull request
//! that goes to another base branch, a push to a fork, a person who has got write access. So each other
//! repository has its turn too, once in [`ROUNDS`] sweeps.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::name::RepositoryId;
use crate::github::Mark;

/// In how many sweeps each repository has its turn.
const ROUNDS: usize = 24;

/// GitHub's times are in whole seconds. A repository that moved so shortly before the listing can
/// move again without another time in the next one.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// What the last sweeps have seen.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The mark of each repository when it was asked for last.
    asked: HashMap<RepositoryId, Mark>,
    /// The repository that had its turn last.
    last: Option<RepositoryId>,
}

impl Turns {
    /// The repositories to ask for, of those that GitHub lists.
    pub(super) fn choose(&mut self, listed: &[(RepositoryId, Mark)]) -> Vec<RepositoryId> {
        let ids: HashSet<RepositoryId> = listed.iter().map(|(id, _)| *id).collect();
        self.asked.retain(|known, _| ids.contains(known));
        let (still, mut chosen): (Vec<_>, Vec<_>) = listed
            .iter()
            .partition(|(id, mark)| self.asked.get(id) == Some(mark));
        let mut still: Vec<RepositoryId> = still.into_iter().map(|(id, _)| *id).collect();
        still.sort();
        // Those after the last one come first, then the others from the beginning.
        let after = still.partition_point(|id| self.last.is_some_and(|last| *id <= last));
        still.rotate_left(after);
        still.truncate(listed.len().div_ceil(ROUNDS));
        if let Some(last) = still.last() {
            self.last = Some(*last);
        }
        let moved = chosen.drain(..).map(|(id, _)| *id);
        let chosen: Vec<RepositoryId> = moved.chain(still).collect();
        // Until nothing was found in it, it stays to be asked for.
        for id in &chosen {
            self.asked.remove(id);
        }
        chosen
    }

    /// Notes that a repository was asked for after a listing of `now`.
    pub(super) fn note(&mut self, id: RepositoryId, mark: &Mark, now: Timestamp) {
        let is_fresh =
            |time: Option<Timestamp>| time.is_some_and(|time| now.duration_since(time) < FRESH);
        match is_fresh(mark.pushed_at) || is_fresh(mark.updated_at) {
            true => drop(self.asked.remove(&id)),
            false => drop(self.asked.insert(id, mark.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::build::example::at;

    fn listed(count: u64) -> Vec<(RepositoryId, Mark)> {
        let mark = |number| Mark {
            pushed_at: Some(at(number)),
            updated_at: Some(at(0)),
            open_issues: 0,
        };
        (1..=count)
            .map(|number| (RepositoryId::new(number), mark(number.cast_signed())))
            .collect()
    }

    fn sweep(turns: &mut Turns, listed: &[(RepositoryId, Mark)]) -> Vec<u64> {
        let chosen = turns.choose(listed);
        for id in &chosen {
            let mark = listed.iter().find(|(known, _)| known == id);
            turns.note(*id, &mark.unwrap().1, at(100_000));
        }
        chosen.iter().map(|id| id.number()).collect()
    }

    #[test]
    fn all_are_asked_for_at_first_and_then_each_in_turn() {
        let (mut turns, listed) = (Turns::default(), listed(50));
        assert_eq!(sweep(&mut turns, &listed).len(), 50);
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS {
            let chosen = sweep(&mut turns, &listed);
            assert_eq!(chosen.len(), 3);
            seen.extend(chosen);
        }
        assert_eq!(seen.len(), 50);
    }

    #[test]
    fn what_moved_is_asked_for_at_once() {
        let (mut turns, mut listed) = (Turns::default(), listed(48));
        sweep(&mut turns, &listed);
        listed[40].1.open_issues = 1;
        assert_eq!(sweep(&mut turns, &listed), [41, 1, 2]);
        assert_eq!(sweep(&mut turns, &listed), [3, 4]);
        listed[7].1.pushed_at = Some(at(99_999));
        assert_eq!(sweep(&mut turns, &listed), [8, 5, 6]);
        assert_eq!(
            sweep(&mut turns, &listed),
            [8, 7, 9],
            "it was just pushed to, so it is asked for again"
        );
    }

    #[test]
    fn a_mark_that_comes_back_does_not_hide_what_was_found() {
        let (mut turns, mut listed) = (Turns::default(), listed(48));
        sweep(&mut turns, &listed);
        listed[40].1.open_issues = 1;
        // Something was found, so nothing is noted.
        assert!(turns.choose(&listed).contains(&RepositoryId::new(41)));
        listed[40].1.open_issues = 0;
        assert!(turns.choose(&listed).contains(&RepositoryId::new(41)));
    }

    #[test]
    fn what_could_not_be_asked_stays_to_be_asked() {
        let (mut turns, listed) = (Turns::default(), listed(2));
        assert_eq!(turns.choose(&listed).len(), 2);
        assert_eq!(sweep(&mut turns, &listed).len(), 2);
        assert_eq!(turns.choose(&listed), [RepositoryId::new(1)]);
        assert_eq!(
            sweep(&mut turns, &listed),
            [1, 2],
            "1 had its turn, and it failed"
        );
        assert_eq!(sweep(&mut turns, &listed), [1]);
    }
}
