//! A consumer that says now and then that it still works, so that its jobs are not taken back.
//!
//! Everything that it has is touched, what waits in its memory, too. A queue broker does not
//! listen to it; a work queue does. Read `docs/models/workqueue.md` before editing.

use crate::kernel::SimTime;
use crate::model::actor::consumer::Consumer;
use crate::model::actor::workers::By;
use crate::model::ground::Ctx;
use crate::model::message::Parcel;

impl Consumer {
    /// Touches what it has when it is time, and plans the next touch while it has something.
    pub(super) fn touch_due(&mut self, cx: &mut Ctx<'_>) {
        let every = self.params.touch;
        let is_idle = self.workers.n_busy() == 0 && self.workers.buffer.is_empty();
        if every.is_zero() || is_idle {
            self.next_touch = None;
            return;
        }
        let next: SimTime = cx.now().saturating_add(every);
        match self.next_touch {
            None => self.next_touch = Some(next),
            Some(at) if at <= cx.now() => {
                self.next_touch = Some(next);
                let busy = self.workers.busy.iter().flatten().map(|work| &work.job);
                for job in busy.chain(&self.workers.buffer) {
                    if job.by == By::Broker && job.tag != 0 {
                        let touch = Parcel::Touch { tag: job.tag, msg: job.message.id };
                        cx.write(job.port, touch, false);
                    }
                }
            }
            Some(_) => {}
        }
    }
}
