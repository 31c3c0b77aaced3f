//! What timers, holds and waiting messages of an end are told after each of its calls.

use std::mem;

use crate::model::channel::tcp::{EndMachine, TIMERS, cause_of};
use crate::model::fact::{Cause, Fact};
use crate::model::ground::{Ground, Lane};
use crate::model::message::{ChannelId, MsgId};
use crate::model::tcp::{Hold, Running, TimerKind};

/// Waiting messages that are told at once what they wait for from now on; those behind them when
/// they come so far.
const TOLD_AT_ONCE: u64 = 64;

impl Ground {
    /// States which timers and holds begin and end with a call, arms the end's wake-up, and tells
    /// waiting messages what they wait for now.
    pub(super) fn tcp_after(&mut self, channel: ChannelId, side: Lane, is_wake: bool) {
        let hold = self.tcp_hold(channel, side);
        let end = &mut self.tcp_mut(channel).ends[side.index()];
        let held = mem::replace(&mut end.hold, hold);
        let marks = match &end.machine {
            EndMachine::Stack(socket) => Some(socket.timer_marks()),
            EndMachine::Lwip(_) | EndMachine::None => None,
        };
        // A timer that is only set anew each time is no news.
        if is_wake || marks != Some(end.marks) {
            end.marks = marks.unwrap_or_default();
            self.restate_timers(channel, side, is_wake);
        }
        if held != hold {
            self.state_hold(channel, side, held);
        }
        self.tcp_arm(channel, side);
        self.tcp_restate(channel, side);
        self.tcp_restate(channel, side.other());
        if self.facts.listening {
            let gauges = self.tcp_gauges(channel, side);
            self.facts.readings.push((self.now, channel, side.is_back(), gauges));
        }
    }

    /// Looks at an end's timers, and states what is new about them.
    fn restate_timers(&mut self, channel: ChannelId, side: Lane, is_wake: bool) {
        let running = self.tcp_running(channel, side);
        let end = &mut self.tcp_mut(channel).ends[side.index()];
        let before = mem::replace(&mut end.stated, running);
        let kinds = |timers: &[Option<Running>]| {
            timers.iter().fold(0_u32, |kinds, timer| kinds << 1 | u32::from(timer.is_some()))
        };
        let ack = TimerKind::DelayedAck as usize;
        let since = |timer: Option<Running>| timer.map(|timer| timer.since);
        let is_news = is_wake
            || kinds(&before) != kinds(&running)
            || since(before[ack]) != since(running[ack]);
        if is_news {
            self.state_timers(channel, side, &before, is_wake);
        }
    }

    fn state_timers(
        &mut self,
        channel: ChannelId,
        side: Lane,
        before: &[Option<Running>; TIMERS.len()],
        is_wake: bool,
    ) {
        let (now, at_to) = (self.now, side.is_back());
        let running = self.tcp_mut(channel).ends[side.index()].stated;
        for (n, timer) in TIMERS.into_iter().enumerate() {
            if let Some(old) = before[n]
                && running[n] != before[n]
            {
                let fired = is_wake && old.due <= now;
                if fired {
                    let since = old.since;
                    self.state(Fact::TimerFired { channel, at_to, timer, since });
                } else if running[n]
                    .is_none_or(|new| timer == TimerKind::DelayedAck && new.since != old.since)
                {
                    self.state(Fact::TimerCancelled { channel, at_to, timer });
                }
            }
            let is_new = before[n].is_none_or(|old| {
                let restarted = timer == TimerKind::DelayedAck
                    && running[n].is_some_and(|new| new.since != old.since);
                restarted || (is_wake && old.due <= now)
            });
            if let Some(new) = running[n].filter(|_| is_new && running[n] != before[n]) {
                self.state(Fact::TimerArmed { channel, at_to, timer, due: new.due });
            }
        }
    }

    fn state_hold(&mut self, channel: ChannelId, side: Lane, before: Option<Hold>) {
        let at_to = side.is_back();
        if let Some(hold) = before {
            self.state(Fact::HoldEnded { channel, at_to, hold });
        }
        let tcp = self.tcp_mut(channel);
        let Some(hold) = tcp.ends[side.index()].hold else { return };
        let lane = &tcp.lanes[side.index()];
        let msg = lane.get(lane.n_sent).and_then(|p| p.parcel.about()).unwrap_or(MsgId(0));
        let (written, nxt) = self.tcp_unsent(channel, side);
        let bytes = u32::try_from(written.saturating_sub(nxt)).unwrap_or(u32::MAX);
        self.state(Fact::HoldBegun { channel, at_to, hold, bytes, msg });
    }

    /// Tells the messages that wait at a lane's sender what they wait for now.
    pub(super) fn tcp_restate(&mut self, channel: ChannelId, lane: Lane) {
        let tcp = self.tcp_mut(channel);
        let peer_delays = tcp.ends[lane.other().index()].timer(TimerKind::DelayedAck).is_some();
        let end = &tcp.ends[lane.index()];
        let (hold, is_open) = (end.hold, end.is_open);
        let host = tcp.hosts[lane.index()];
        let board = self.hosts[host.index()].board.is_some();
        let inside = match hold {
            // Handed to the driver already, or about to be.
            None if board => Cause::Cpu,
            Some(Hold::NotPushed) if board => Cause::TimerTick,
            Some(Hold::Device) if board => Cause::TxDescriptors,
            _ => cause_of(hold, peer_delays),
        };
        // What the stack has sent is inside the board and tells its own story when it leaves.
        let handed = if board { self.tcp_unsent(channel, lane).1 } else { 0 };
        let state = &mut self.tcp_mut(channel).lanes[lane.index()];
        let all = state.first + state.parcels.len() as u64;
        let told =
            state.n_written.min(state.n_sent + TOLD_AT_ONCE) <= state.n_told.max(state.n_sent);
        if state.cause == Some(inside) && told && all <= state.n_known.max(state.n_sent) {
            return;
        }
        if state.cause != Some(inside) {
            state.cause = Some(inside);
            state.n_told = state.n_sent;
        }
        let outside = if is_open { state.outside_cause.cause() } else { Cause::Handshake };
        let mut number = state.n_told.max(state.n_sent);
        let until = state.n_written.min(state.n_sent + TOLD_AT_ONCE);
        let is_handed = |ground: &mut Ground, number: u64| {
            let state = &ground.tcp_mut(channel).lanes[lane.index()];
            state.get(number).is_some_and(|parcel| parcel.end < handed)
        };
        let known = state.n_known;
        while number < until {
            if known <= number || !is_handed(self, number) {
                let cause = if is_handed(self, number) { Cause::Cpu } else { inside };
                self.set_cause(channel, lane, number, cause);
            }
            number += 1;
        }
        let state = &mut self.tcp_mut(channel).lanes[lane.index()];
        state.n_told = number;
        // What is new is told at least once, however far behind it stands.
        let mut number = state.n_known.max(state.n_sent);
        while self.tcp_mut(channel).lanes[lane.index()].get(number).is_some() {
            let is_inside = number < self.tcp_mut(channel).lanes[lane.index()].n_written;
            let cause = match is_inside {
                true if is_handed(self, number) => Cause::Cpu,
                true => inside,
                false => outside,
            };
            self.set_cause(channel, lane, number, cause);
            number += 1;
        }
        self.tcp_mut(channel).lanes[lane.index()].n_known = number;
    }

    /// A message waits for something else from now on.
    pub(super) fn set_cause(&mut self, channel: ChannelId, lane: Lane, number: u64, cause: Cause) {
        let state = &mut self.tcp_mut(channel).lanes[lane.index()];
        let Some(parcel) = state.get_mut(number).filter(|p| p.cause != cause) else { return };
        parcel.cause = cause;
        if let Some(msg) = parcel.parcel.message().map(|message| message.id) {
            self.state(Fact::Held { msg, cause });
        }
    }
}
