//! When the next round of check runs begins.

use std::time::Duration;

use crate::usecase::wake::IDLE;
use crate::usecase::worker::Round;

/// When the next round begins.
#[derive(Debug, Default)]
pub(super) struct Next {
    soonest: Option<Duration>,
    pub(super) failed: bool,
}

impl Next {
    pub(super) fn after(&mut self, pause: Duration) {
        self.soonest = Some(self.soonest.map_or(pause, |soonest| soonest.min(pause)));
    }

    pub(super) fn round(self) -> Round {
        match self.soonest {
            _ if self.failed => Round::Later,
            Some(pause) => Round::After(pause.min(IDLE)),
            None => Round::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_round_comes_when_the_first_thing_can_be_done() {
        assert_eq!(Next::default().round(), Round::Done);
        let mut next = Next::default();
        next.after(Duration::from_secs(3000));
        assert_eq!(next.round(), Round::After(IDLE));
        let mut next = Next::default();
        for seconds in [3, 2, 9] {
            next.after(Duration::from_secs(seconds));
        }
        assert_eq!(next.round(), Round::After(Duration::from_secs(2)));
        next = Next::default();
        next.after(Duration::ZERO);
        next.failed = true;
        assert_eq!(next.round(), Round::Later);
    }
}
