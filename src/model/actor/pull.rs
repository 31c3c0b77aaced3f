//! A consumer that asks for its messages, one at a time and at its own pace (AMQP `basic.get`),
//! or takes none any more (`basic.cancel`).
//!
//! It leaves out asking for several at once, and waiting at the broker until there is one.

use crate::kernel::SimTime;
use crate::model::actor::consumer::{AckMode, Consumer};
use crate::model::ground::{Ctx, Lane};
use crate::model::message::Parcel;

impl Consumer {
    /// The run begins, or the process starts anew.
    pub fn begin_pulling(&mut self, now: SimTime) {
        let pull = self.params.pull;
        let asks = !pull.is_zero() && self.params.joined;
        self.next_pull = asks.then(|| now.saturating_add(pull));
    }

    /// It takes no more messages: those that were delivered stay its own until it settles them.
    pub(super) fn cancel(&mut self, cx: &mut Ctx<'_>) {
        let pushed = self.params.pull.is_zero();
        self.next_pull = None;
        for port in 0..cx.n_ports() {
            if pushed && cx.seat.ports[usize::from(port)].out == Lane::Back {
                cx.write(port, Parcel::Cancel, false);
            }
        }
    }

    /// Asks every broker for one message when it is time.
    pub(super) fn pull_due(&mut self, cx: &mut Ctx<'_>) {
        while let Some(at) = self.next_pull.filter(|at| *at <= cx.now()) {
            self.next_pull = Some(at.saturating_add(self.params.pull));
            let auto_ack = self.params.ack == AckMode::OnDelivery;
            for port in 0..cx.n_ports() {
                if cx.seat.ports[usize::from(port)].out == Lane::Back {
                    cx.write(port, Parcel::Get { auto_ack }, false);
                }
            }
        }
    }
}
