//! Slots, and those who wait for one in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use api::id::AttemptId;
use tokio::sync::watch;

/// A number of slots. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Changes whenever the state does.
    moved: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<AttemptId>,
    free: Vec<u16>,
    busy: usize,
}

/// A slot, held until dropped.
#[derive(Debug)]
pub(super) struct Slot {
    inner: Arc<Inner>,
    number: u16,
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    inner: Arc<Inner>,
    id: AttemptId,
    moved: watch::Receiver<()>,
}

/// Where one in the queue stands.
pub(super) enum Turn {
    /// It has a slot.
    Come(Slot),
    /// It waits for this many others, those at work included.
    Wait(u32),
}

impl Queue {
    pub(super) fn new(slots: u16) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            free: (0..slots).rev().collect(),
            busy: 0,
        };
        let (moved, _) = watch::channel(());
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                moved,
            }),
        }
    }

    /// Takes the last place.
    pub(super) fn join(&self, id: AttemptId) -> Place {
        let moved = self.inner.moved.subscribe();
        self.inner.change(|state| state.waiting.push_back(id));
        Place {
            inner: Arc::clone(&self.inner),
            id,
            moved,
        }
    }
}

impl Inner {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Every change is complete in itself, so a panic elsewhere leaves a good state.
        let value = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.send_replace(());
        value
    }
}

impl Place {
    /// Whether its turn has come.
    pub(super) fn turn(&self) -> Turn {
        let mut state = self
            .inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = state
            .waiting
            .iter()
            .position(|id| *id == self.id)
            .unwrap_or_default();
        if before == 0
            && let Some(number) = state.free.pop()
        {
            state.waiting.pop_front();
            state.busy += 1;
            drop(state);
            self.inner.moved.send_replace(());
            return Turn::Come(Slot {
                inner: Arc::clone(&self.inner),
                number,
            });
        }
        Turn::Wait(u32::try_from(before + state.busy).unwrap_or(u32::MAX))
    }

    /// Waits until the queue has moved since the last call.
    pub(super) async fn moved(&mut self) {
        // The sender lives as long as this place.
        let _ = self.moved.changed().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner
            .change(|state| state.waiting.retain(|id| *id != self.id));
    }
}

impl Slot {
    /// Its number, from 0.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.inner.change(|state| {
            state.free.push(self.number);
            state.busy -= 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use api::id::BuildId;

    use super::*;

    fn place(queue: &Queue, number: u32) -> Place {
        queue.join(AttemptId::new(BuildId::from_bytes([0; 16]), number))
    }

    #[tokio::test]
    async fn slots_go_round_in_order_and_leaving_is_free() {
        let queue = Queue::new(1);
        let first = place(&queue, 1);
        let Turn::Come(slot) = first.turn() else {
            panic!("the slot is free")
        };
        let second = place(&queue, 2);
        let mut third = place(&queue, 3);
        assert!(matches!(second.turn(), Turn::Wait(1)));
        assert!(matches!(third.turn(), Turn::Wait(2)));
        drop(second);
        third.moved().await;
        assert!(matches!(third.turn(), Turn::Wait(1)));
        drop(slot);
        third.moved().await;
        let Turn::Come(slot) = third.turn() else {
            panic!("the slot is free again")
        };
        assert_eq!(slot.number(), 0);
    }
}
