//! Something kept for every message that somebody holds: numbers are dense, so a window over them,
//! and a map for the few that stay behind.

use std::collections::{BTreeMap, VecDeque};

use crate::model::message::MsgId;

/// What is kept of each message that somebody holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Dense<T> {
    first: u64,
    window: VecDeque<Option<T>>,
    stragglers: BTreeMap<u64, T>,
    n_open: u64,
}

/// The window may be this much longer than the number of open accounts before its oldest part is
/// swept into the map.
const SLACK: u64 = 1_024;

impl<T> Default for Dense<T> {
    fn default() -> Dense<T> {
        let (window, stragglers) = (VecDeque::new(), BTreeMap::new());
        Dense { first: 0, window, stragglers, n_open: 0 }
    }
}

impl<T> Dense<T> {
    /// The account of a message that is under way.
    pub fn get(&self, msg: MsgId) -> Option<&T> {
        match self.place(msg) {
            Some(place) => self.window.get(place)?.as_ref(),
            None => self.stragglers.get(&msg.0),
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, msg: MsgId) -> Option<&mut T> {
        match self.place(msg) {
            Some(place) => self.window.get_mut(place)?.as_mut(),
            None => self.stragglers.get_mut(&msg.0),
        }
    }

    /// Opens an account; numbers ascend.
    pub fn open(&mut self, msg: MsgId, account: T) {
        if self.window.is_empty() {
            self.first = msg.0;
        }
        while self.first + (self.window.len() as u64) < msg.0 {
            self.window.push_back(None);
        }
        self.window.push_back(Some(account));
        self.n_open += 1;
        if (self.window.len() as u64) > SLACK + 2 * self.n_open {
            self.sweep();
        }
    }

    /// Closes an account.
    pub fn close(&mut self, msg: MsgId) {
        match self.place(msg) {
            Some(place) => {
                if let Some(slot) = self.window.get_mut(place) {
                    self.n_open -= u64::from(slot.take().is_some());
                }
                while let Some(None) = self.window.front() {
                    self.window.pop_front();
                    self.first += 1;
                }
            }
            None => self.n_open -= u64::from(self.stragglers.remove(&msg.0).is_some()),
        }
    }

    /// Messages that somebody holds, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (MsgId, &T)> {
        let old = self.stragglers.iter().map(|(id, account)| (MsgId(*id), account));
        let first = self.first;
        let slots = self.window.iter().enumerate();
        old.chain(
            slots.filter_map(move |(n, slot)| Some((MsgId(first + n as u64), slot.as_ref()?))),
        )
    }

    /// How many are open.
    pub fn len(&self) -> u64 {
        self.n_open
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.n_open == 0
    }

    /// Rough size in bytes.
    pub fn weight(&self) -> u64 {
        let entries = self.window.len() + self.stragglers.len();
        entries as u64 * size_of::<Option<T>>() as u64
    }

    fn place(&self, msg: MsgId) -> Option<usize> {
        usize::try_from(msg.0.checked_sub(self.first)?).ok()
    }

    /// Moves the few open accounts of the window's older half into the map.
    fn sweep(&mut self) {
        for _ in 0..self.window.len() / 2 {
            if let Some(Some(account)) = self.window.pop_front() {
                self.stragglers.insert(self.first, account);
            }
            self.first += 1;
        }
    }
}
