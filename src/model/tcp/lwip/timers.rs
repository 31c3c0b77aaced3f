//! Time: `timeouts.c:sys_check_timeouts` for TCP's timer, `tcp.c:tcp_fasttmr` and `tcp_slowtmr`.
//!
//! One timer runs while any connection exists: it starts when the first becomes active, counts
//! in whole milliseconds, and is set again from the moment at which it was served.

use super::core::{Core, Fail};
use super::pcb::{INITIAL_RTO_MS, Pcb, PcbId, State, Tf};
use super::stack::{Answer, App, Event, Stack};
use crate::kernel::SimTime;

const NS_PER_MS: u64 = 1_000_000;
/// Slow ticks between probes of a closed window. `tcp.c:tcp_persist_backoff`.
pub(super) const PERSIST_BACKOFF: [u8; 7] = [3, 6, 12, 24, 48, 96, 120];
/// Shifts of the timeout after each retransmission. `tcp.c:tcp_backoff`.
const BACKOFF: [u8; 13] = [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7, 7, 7];
/// Data out of order are dropped after so many timeouts. `tcp_priv.h:TCP_OOSEQ_TIMEOUT`.
const OOSEQ_TIMEOUT: u32 = 6;
/// `tcp_priv.h:TCP_FIN_WAIT_TIMEOUT` and `TCP_SYN_RCVD_TIMEOUT`.
const WAIT_TIMEOUT_MS: u32 = 20_000;
/// Twice the longest life of a segment. `tcp_priv.h:TCP_MSL`.
const TWO_MSL_MS: u32 = 120_000;

impl Stack {
    /// When [`Stack::check_timeouts`] has something to do; `None` while no connection exists.
    pub fn next_wake(&self) -> Option<SimTime> {
        self.timer_due_ms.map(|ms| SimTime::from_ns(ms * NS_PER_MS))
    }

    /// Runs what is due; early calls do nothing, late ones run it once.
    /// `timeouts.c:sys_check_timeouts`.
    pub fn check_timeouts(&mut self, now: SimTime, app: &mut dyn App) {
        self.core.now = now;
        let now_ms = now.ns() / NS_PER_MS;
        loop {
            if std::mem::take(&mut self.core.memory.free_ooseq_pending) {
                self.free_an_ooseq();
            }
            if self.timer_due_ms.is_none_or(|due| now_ms < due) {
                return;
            }
            self.tcp_tmr(app);
            let needed = !self.active.is_empty() || !self.time_wait.is_empty();
            self.timer_due_ms = needed.then(|| self.timer_from_now());
        }
    }

    /// Starts the timer if it does not run. `timeouts.c:tcp_timer_needed`.
    pub(super) fn need_timer(&mut self) {
        if self.timer_due_ms.is_none() {
            self.timer_due_ms = Some(self.timer_from_now());
        }
    }

    fn timer_from_now(&self) -> u64 {
        let interval = u64::from(self.core.options.tcp_tmr_interval_ms);
        self.core.now.ns() / NS_PER_MS + interval
    }

    /// `pbuf.c:pbuf_free_ooseq`: of the first connection that has any.
    fn free_an_ooseq(&mut self) {
        let has = |id: &&PcbId| self.pcb(**id).is_some_and(|pcb| !pcb.ooseq.is_empty());
        if let Some(id) = self.active.iter().find(has).copied()
            && let Some((pcb, core)) = self.pcb_mut(id)
        {
            pcb.free_ooseq(core);
        }
    }

    /// The fast timer, and with every odd run the slow one.
    fn tcp_tmr(&mut self, app: &mut dyn App) {
        self.fasttmr(app);
        self.tcp_timer = self.tcp_timer.wrapping_add(1);
        if self.tcp_timer % 2 == 1 {
            self.slowtmr(app);
        }
    }

    /// The first connection in the list that this run has not seen, marked as seen.
    fn next_unseen(&mut self) -> Option<PcbId> {
        let ctr = self.timer_ctr;
        let unseen = |id: &&PcbId| self.pcb(**id).is_some_and(|pcb| pcb.last_timer != ctr);
        let id = self.active.iter().find(unseen).copied()?;
        if let Some((pcb, _)) = self.pcb_mut(id) {
            pcb.last_timer = ctr;
        }
        Some(id)
    }

    /// Delayed acknowledgements, a close that is to be tried again, refused data.
    fn fasttmr(&mut self, app: &mut dyn App) {
        self.timer_ctr = self.timer_ctr.wrapping_add(1);
        while let Some(id) = self.next_unseen() {
            let Some((pcb, core)) = self.pcb_mut(id) else { continue };
            if pcb.flags.any(Tf::ACK_DELAY) {
                pcb.set(Tf::ACK_NOW);
                let _ = pcb.output(core);
                // Also if Nagle or want of memory kept it back: then it is lost.
                pcb.clear(Tf::ACK_DELAY.or(Tf::ACK_NOW));
            }
            self.retry_close(id);
            if self.pcb(id).is_some_and(|pcb| pcb.refused_data.is_some()) {
                self.process_refused(id, app);
            }
        }
    }

    fn slowtmr(&mut self, app: &mut dyn App) {
        self.core.ticks += 1;
        self.timer_ctr = self.timer_ctr.wrapping_add(1);
        while let Some(id) = self.next_unseen() {
            let Some((pcb, core)) = self.pcb_mut(id) else { continue };
            if pcb.slow_tick(core) {
                let (addr, state) = (pcb.addr, pcb.state);
                pcb.purge(core);
                self.unlist(id);
                self.free(id);
                self.tell_err(app, id, addr, state, Fail::Abrt);
            } else {
                self.poll(id, app);
            }
        }
        for id in self.time_wait.clone() {
            let ticks = self.core.ticks;
            let limit = self.core.options.slow_ticks(TWO_MSL_MS);
            if self.pcb(id).is_some_and(|pcb| limit < ticks - pcb.tmr) {
                self.unlist(id);
                self.free(id);
            }
        }
    }

    /// Every `pollinterval` ticks the application may do something, and what waits is sent.
    fn poll(&mut self, id: PcbId, app: &mut dyn App) {
        let Some((pcb, _)) = self.pcb_mut(id) else { return };
        pcb.polltmr = pcb.polltmr.wrapping_add(1);
        if pcb.polltmr < pcb.pollinterval {
            return;
        }
        pcb.polltmr = 0;
        let addr = pcb.addr;
        if app.on(self, id, addr, Event::Poll) == Answer::Ok
            && let Some((pcb, core)) = self.pcb_mut(id)
        {
            let _ = pcb.output(core);
        }
    }
}

impl Pcb {
    /// One slow tick; whether the connection is given up.
    fn slow_tick(&mut self, core: &mut Core) -> bool {
        let syn_limit = core.options.tcp_synmaxrtx;
        let mut give_up = false;
        let syn_over = self.state == State::SynSent && syn_limit <= self.nrtx;
        if syn_over || core.options.tcp_maxrtx <= self.nrtx {
            give_up = true;
        } else if 0 < self.persist_backoff {
            give_up = core.options.tcp_maxrtx <= self.persist_probe;
            if !give_up {
                self.persist_tick(core);
            }
        } else {
            self.rto_tick(core);
        }
        let silent = core.ticks - self.tmr;
        if !self.ooseq.is_empty() && self.rto as u32 * OOSEQ_TIMEOUT <= silent {
            self.free_ooseq(core);
        }
        let limit = match self.state {
            State::FinWait2 if self.flags.any(Tf::RXCLOSED) => WAIT_TIMEOUT_MS,
            State::SynRcvd => WAIT_TIMEOUT_MS,
            State::LastAck => TWO_MSL_MS,
            _ => return give_up,
        };
        give_up || core.options.slow_ticks(limit) < silent
    }

    /// Probes a window that is closed, or splits the head to what is open.
    fn persist_tick(&mut self, core: &mut Core) {
        let slot = PERSIST_BACKOFF[usize::from(self.persist_backoff - 1)];
        if self.persist_cnt < slot {
            self.persist_cnt += 1;
        }
        if self.persist_cnt < slot {
            return;
        }
        let next_slot = if self.snd_wnd == 0 {
            self.zero_window_probe(core).is_ok()
        } else {
            let split = self.split_unsent(core, self.snd_wnd).is_ok();
            !(split && self.output(core).is_ok())
        };
        if next_slot {
            self.persist_cnt = 0;
            self.persist_since = core.now;
            if usize::from(self.persist_backoff) < PERSIST_BACKOFF.len() {
                self.persist_backoff += 1;
            }
        }
    }

    /// Retransmission timeout: everything unacknowledged is to be sent again.
    fn rto_tick(&mut self, core: &mut Core) {
        if 0 <= self.rtime && self.rtime < i16::MAX {
            self.rtime += 1;
        }
        if self.rtime < self.rto {
            return;
        }
        let stuck = self.unacked.is_empty() && !self.unsent.is_empty();
        if !self.rexmit_rto_prepare() && !stuck {
            return;
        }
        if self.state != State::SynSent {
            let shift = BACKOFF[usize::from(self.nrtx).min(BACKOFF.len() - 1)];
            let rto = (i32::from(self.sa >> 3) + i32::from(self.sv)) << shift;
            self.rto = rto.min(i32::from(i16::MAX)) as i16;
        }
        self.restart_rtime(core);
        self.ssthresh = (self.cwnd.min(self.snd_wnd) / 2).max(2 * self.mss);
        self.cwnd = self.mss;
        self.bytes_acked = 0;
        self.rexmit_rto_commit(core);
    }

    /// The retransmission timeout before anything is measured, in slow ticks.
    pub fn initial_rto(core: &Core) -> u32 {
        core.options.slow_ticks(INITIAL_RTO_MS)
    }
}
