//! A consumer that asks for its messages, one at a time and at its own pace (AMQP `basic.get`).
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
        self.next_pull = (!pull.is_zero()).then(|| now.saturating_add(pull));
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
