//! Timers: wake-ups that are set again and again, mostly before they go off.
//!
//! A timer owns at most two entries of the queue. Setting it later only writes down its new
//! place in the order; when the entry comes up early, it is put back. Setting it earlier adds an
//! entry and keeps the old one for later use, so a node that is woken for small things in front
//! of a distant deadline does not pay for the deadline each time.

use super::SimTime;
use super::queue::{EventQueue, Key};

/// One wake-up that can be set again; the queue's entries for it are looked after lazily.
///
/// Use it with one queue only, always with the same event, and call
/// [`EventQueue::fired`] whenever that event is popped.
#[derive(Clone, Debug)]
pub struct Timer {
    /// The place in the order at which it goes off.
    want: Key,
    /// Its earliest entry in the queue.
    first: Key,
    /// Another entry, after `first`.
    second: Key,
}

impl Timer {
    /// When it goes off, if it is armed.
    pub fn due(&self) -> Option<SimTime> {
        (self.want != Key::NEVER).then(|| self.want.time())
    }
}

impl Default for Timer {
    /// Not armed.
    fn default() -> Timer {
        Timer { want: Key::NEVER, first: Key::NEVER, second: Key::NEVER }
    }
}

/// Slots are where the queue happened to have room: they do not count.
impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        self.want == other.want
            && self.first.rank() == other.first.rank()
            && self.second.rank() == other.second.rank()
    }
}

impl Eq for Timer {}

impl<E> EventQueue<E> {
    /// Sets the timer to go off at `at`, as if it had been taken out and scheduled now.
    ///
    /// Does nothing when it is set for that time already: it keeps its place. Panics when `at`
    /// is before the last pop or the queue is full.
    #[inline]
    pub fn arm(&mut self, timer: &mut Timer, at: SimTime, event: E) {
        if timer.want.time() == at && timer.want != Key::NEVER {
            return;
        }
        timer.want = self.next_rank(at);
        if timer.want < timer.first {
            self.add_entry(timer, event);
        }
    }

    /// Stops the timer. Its entries stay until they come up, or serve when it is armed again.
    #[inline]
    pub fn disarm(&mut self, timer: &mut Timer) {
        timer.want = Key::NEVER;
    }

    /// To be called when a timer's event was popped: whether the timer goes off now.
    ///
    /// If so, it is no longer armed. If not, the entry was stale and nothing is to be done.
    #[inline]
    pub fn fired(&mut self, timer: &mut Timer, event: E) -> bool {
        let popped = self.current();
        assert!(popped == timer.first, "the popped event belongs to the timer");
        timer.first = timer.second;
        timer.second = Key::NEVER;
        if popped.rank() == timer.want {
            timer.want = Key::NEVER;
            return true;
        }
        if timer.want < timer.first {
            self.add_entry(timer, event);
        }
        false
    }

    /// Queues an entry at the wanted place, which is before all entries of the timer.
    fn add_entry(&mut self, timer: &mut Timer, event: E) {
        if timer.second == Key::NEVER {
            timer.second = timer.first;
        } else {
            self.kill(timer.first);
        }
        timer.first = self.push(timer.want, event);
    }
}
