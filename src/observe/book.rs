//! The account book: what the balance should be, and what it is.
//!
//! Every message credits an account with so many coins. Messages carry different amounts, so that
//! a message lost and another one done twice do not make the balance right again.

use crate::model::message::MsgId;

/// Largest amount of one message.
const LARGEST: u64 = 9;

/// Coins that a message carries: 1 to 9, by its number.
pub fn amount(msg: MsgId) -> u64 {
    1 + msg.0.saturating_sub(1) % LARGEST
}

/// The balance of all accounts together, in coins:
/// `expected + twice = actual + lost + under_way`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Book {
    /// What was sent.
    pub expected: u64,
    /// What was credited, everything counted that was credited again.
    pub actual: u64,
    /// Of this, what was credited again.
    pub twice: u64,
    /// What will never be credited.
    pub lost: u64,
}

impl Book {
    /// What is still to be credited.
    pub fn under_way(&self) -> u64 {
        (self.expected + self.twice).saturating_sub(self.actual + self.lost)
    }

    /// How far the balance is off: actual less expected.
    pub fn difference(&self) -> i64 {
        let [actual, expected] = [self.actual, self.expected].map(|n| n as i64);
        actual - expected
    }
}
