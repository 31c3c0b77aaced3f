//! The life of a connection: handshake, established, half close, close, reset.
//!
//! Follows RFC 9293 sections 3.5, 3.6 and 3.10.7, Linux tcp_input.c `tcp_rcv_state_process`,
//! `tcp_validate_incoming`, `tcp_fin`, tcp.c `__tcp_close`. A listening end becomes the
//! connection that is opened to it. Leaves out simultaneous open, SYN cookies, fast open, PAWS.

use crate::kernel::{SimSpan, SimTime};
use crate::model::tcp::stack::congestion::Cong;
use crate::model::tcp::stack::receive::INVALID_GAP;
use crate::model::tcp::stack::recovery::Loss;
use crate::model::tcp::stack::send::{NoNagle, Packet, SEGMENT_OVERHEAD};
use crate::model::tcp::stack::timers::{SendAlarm, Timers};
use crate::model::tcp::stack::{Options, Socket};
use crate::model::tcp::{Errno, Flags, Outbox, Sack, Segment, Signal};

/// How long a closed end answers stray segments. Linux `TCP_TIMEWAIT_LEN`; RFC 9293: 2 MSL.
pub const TIME_WAIT: SimSpan = SimSpan::s(60);
/// Timeouts of a SYN-ACK before giving up. Linux `tcp_synack_retries`.
pub const SYN_ACK_RETRIES: u32 = 5;
/// First timeout of SYN and SYN-ACK. RFC 6298 section 2.1.
pub const FIRST_TIMEOUT: SimSpan = SimSpan::s(1);
/// Timeout where the handshake gave no round-trip time. Linux `TCP_TIMEOUT_FALLBACK`.
pub const TIMEOUT_WITHOUT_SAMPLE: SimSpan = SimSpan::s(3);

/// RFC 9293 section 3.3.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// No connection.
    #[default]
    Closed,
    /// Waiting for somebody to connect.
    Listen,
    /// A SYN is sent.
    SynSent,
    /// A SYN is answered. Linux keeps a request, the socket comes with the third segment.
    SynReceived,
    /// Data may flow.
    Established,
    /// Closed first; the FIN is not acknowledged.
    FinWait1,
    /// The FIN is acknowledged.
    FinWait2,
    /// The other end closed.
    CloseWait,
    /// Both closed at once.
    Closing,
    /// Closed second; the FIN is not acknowledged.
    LastAck,
    /// Closed; stray segments are answered.
    TimeWait,
}

impl State {
    /// Linux `TCP_ESTABLISHED` is 1, and so on (include/net/tcp_states.h).
    pub fn number(self) -> u8 {
        match self {
            State::Established => 1,
            State::SynSent => 2,
            State::SynReceived => 3,
            State::FinWait1 => 4,
            State::FinWait2 => 5,
            State::TimeWait => 6,
            State::Closed => 7,
            State::CloseWait => 8,
            State::LastAck => 9,
            State::Listen => 10,
            State::Closing => 11,
        }
    }
}

impl Socket {
    /// Waits for somebody to connect.
    pub fn listen(&mut self) {
        assert!(self.state == State::Closed, "only a new end listens");
        self.state = State::Listen;
    }

    /// Begins to connect. Linux `tcp_connect`.
    pub fn connect(&mut self, now: SimTime, out: &mut Outbox) {
        assert!(self.state == State::Closed, "only a new end connects");
        self.state = State::SynSent;
        self.recv.advertised_mss = self.path_mss();
        self.send.mss = self.recv.advertised_mss;
        self.send.peer_mss = u32::from(u16::MAX);
        self.first_window(self.recv.advertised_mss, self.profile.window_scaling);
        self.rtt.rto = self.profile.clock.ticks_of(FIRST_TIMEOUT);
        self.send.queue.push_back(Packet { flags: Flags::SYN, ..Packet::default() });
        self.send.end = 1;
        self.transmit(now, 0, out);
        (self.send.nxt, self.send.n_sent) = (1, 1);
        let rto = self.rtt.rto;
        self.set_send_alarm(now, SendAlarm::Retransmission, rto);
    }

    /// Ends sending; reading goes on. Linux `tcp_shutdown`.
    pub fn shutdown(&mut self, now: SimTime, out: &mut Outbox) {
        self.write_is_shut = true;
        self.close_sending(now, out);
    }

    /// The application is done with it. Linux `__tcp_close`.
    pub fn close(&mut self, now: SimTime, out: &mut Outbox) {
        let has_unread = 0 < self.unread();
        self.is_orphan = true;
        self.write_is_shut = true;
        self.read_is_shut = true;
        if matches!(self.state, State::Closed | State::Listen | State::SynSent) {
            self.finish(out);
            return;
        }
        // RFC 2525 section 2.17: who throws data away says so.
        if has_unread || self.linger_zero {
            self.abort(now, out);
            return;
        }
        self.close_sending(now, out);
        if self.state == State::FinWait2 {
            self.wait_for_the_end(now);
        }
    }

    /// Breaks the connection off with a reset.
    pub fn abort(&mut self, now: SimTime, out: &mut Outbox) {
        if self.is_synchronised() && self.state != State::TimeWait {
            let seq = self.acceptable_seq();
            self.send_control(now, Flags::RST.with(Flags::ACK), seq, out);
        }
        self.write_is_shut = true;
        self.read_is_shut = true;
        self.finish(out);
    }

    fn close_sending(&mut self, now: SimTime, out: &mut Outbox) {
        self.state = match self.state {
            State::Established | State::SynReceived => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        self.send_fin(now, out);
    }

    /// The FIN rides on the last unsent segment, if there is one. Linux `tcp_send_fin`.
    fn send_fin(&mut self, now: SimTime, out: &mut Outbox) {
        let has_unsent = self.send.n_sent < self.send.queue.len() as u32;
        match self.send.queue.back_mut().filter(|_| has_unsent) {
            Some(tail) => tail.flags = tail.flags.with(Flags::FIN),
            None => {
                let memory = if self.profile.truesize { SEGMENT_OVERHEAD } else { 0 };
                let (seq, flags) = (self.send.end, Flags::FIN);
                self.send.queue.push_back(Packet { seq, flags, memory, ..Packet::default() });
                self.send.memory += u64::from(memory);
            }
        }
        self.send.end += 1;
        let mss = self.current_mss();
        self.push_pending(now, mss, NoNagle::OFF, out);
    }

    /// Takes in a segment.
    pub fn on_segment(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        match self.state {
            State::Closed => self.refuse_segment(seg, out),
            State::Listen => self.on_syn(now, seg, out),
            State::SynSent => self.on_syn_answer(now, seg, out),
            State::SynReceived => self.on_third_segment(now, seg, out),
            State::TimeWait => self.on_stray_segment(now, seg, out),
            _ => self.process(now, seg, out),
        }
    }

    /// Nobody is there: a reset. RFC 9293 section 3.10.7.1; Linux `tcp_v4_send_reset`.
    fn refuse_segment(&mut self, seg: &Segment, out: &mut Outbox) {
        if seg.flags.has(Flags::RST) {
            return;
        }
        out.segments.push(if seg.flags.has(Flags::ACK) {
            Segment { flags: Flags::RST, seq: seg.ack, ..Segment::default() }
        } else {
            let flags = Flags::RST.with(Flags::ACK);
            Segment { flags, ack: seg.end(), ..Segment::default() }
        });
    }

    /// Somebody connects. Linux `tcp_conn_request`.
    fn on_syn(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        if seg.flags.has(Flags::RST) {
            return;
        }
        if !seg.flags.has(Flags::SYN) || seg.flags.has(Flags::ACK) {
            self.refuse_segment(seg, out);
            return;
        }
        self.agree(seg);
        self.state = State::SynReceived;
        self.recv.advertised_mss = self.path_mss();
        let stamps = if self.options.timestamps { 12 } else { 0 };
        self.first_window(self.recv.advertised_mss - stamps, self.options.scaling);
        (self.recv.next, self.recv.window_at, self.recv.read) = (1, 1, 1);
        self.recv.heard = now;
        self.send.window = u64::from(seg.window);
        self.loss.n_syn_timeouts = 0;
        self.send_syn_ack(now, out);
    }

    fn send_syn_ack(&mut self, now: SimTime, out: &mut Outbox) {
        self.send_control(now, Flags::SYN.with(Flags::ACK), 0, out);
        if self.loss.n_syn_timeouts == 0 {
            self.loss.resent_since.get_or_insert(now);
        }
        let delay = self.profile.clock.ticks_of(FIRST_TIMEOUT) << self.loss.n_syn_timeouts;
        self.timers.syn_ack = Some(self.profile.clock.alarm(now, delay));
    }

    /// The SYN-ACK was not answered. Linux `reqsk_timer_handler`.
    pub(super) fn on_syn_ack_alarm(&mut self, now: SimTime, out: &mut Outbox) {
        if SYN_ACK_RETRIES <= self.loss.n_syn_timeouts {
            self.timers.syn_ack = None;
            self.state = State::Listen;
            return;
        }
        self.loss.n_syn_timeouts += 1;
        self.loss.n_resent += 1;
        self.send_syn_ack(now, out);
        if let Some(segment) = out.segments.last_mut() {
            segment.again = true;
        }
    }

    /// What both ends can. RFC 7323, RFC 2018.
    fn agree(&mut self, seg: &Segment) {
        self.options = Options {
            timestamps: self.profile.timestamps && seg.stamps.is_some(),
            sack: self.profile.sack && seg.sack_permitted,
            scaling: self.profile.window_scaling && seg.wscale.is_some(),
            own_shift: self.options.own_shift,
            peer_shift: seg.wscale.unwrap_or(0),
        };
        if !self.options.scaling {
            (self.options.own_shift, self.options.peer_shift) = (0, 0);
        }
        self.send.peer_mss = seg.mss.map_or(super::send::DEFAULT_MSS, u32::from);
        if let Some(stamps) = seg.stamps {
            self.recv.stamp = stamps.value;
        }
    }

    /// The answer to our SYN. Linux `tcp_rcv_synsent_state_process`.
    fn on_syn_answer(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        if seg.flags.has(Flags::ACK) && (seg.ack == 0 || self.send.nxt < seg.ack) {
            self.refuse_segment(seg, out);
            return;
        }
        if seg.flags.has(Flags::RST) {
            if seg.flags.has(Flags::ACK) {
                self.break_off(Errno::ConnRefused, out);
            }
            return;
        }
        if !seg.flags.has(Flags::SYN) || !seg.flags.has(Flags::ACK) {
            return;
        }
        self.agree(seg);
        (self.recv.next, self.recv.window_at, self.recv.read) = (1, 1, 1);
        self.recv.heard = now;
        self.send.wl1 = seg.seq;
        self.state = State::Established;
        self.take_ack(now, seg, out);
        self.start_after_loss(self.loss.n_resent, true);
        self.establish(now, u64::from(seg.window), out);
        self.send_ack(now, out);
    }

    /// After a SYN or SYN-ACK that was lost: RFC 5681 section 3.1 begins with one segment. Linux
    /// does from the second loss on; the first halves the threshold only, as any timeout does.
    ///
    /// Linux `tcp_enter_loss`, `tcp_init_transfer`.
    fn start_after_loss(&mut self, n_resent: u32, is_client: bool) {
        if n_resent == 0 {
            return;
        }
        self.loss = Loss {
            n_resent: self.loss.n_resent,
            n_delivered: self.loss.n_delivered,
            ..Loss::default()
        };
        self.cong = Cong::new(&self.profile);
        let is_linux = self.profile.linear_syns != 0;
        if is_linux && is_client {
            self.cong.ssthresh = self.threshold_after_loss();
            self.cong.cubic = Cong::new(&self.profile).cubic;
        }
        if !is_linux || 1 < n_resent {
            self.cong.window = 1;
        }
    }

    /// RFC 6298 section 5.7: no sample of the round trip was possible. Linux `tcp_init_metrics`.
    fn set_first_rto(&mut self) {
        if self.rtt.srtt == 0 {
            let us = (TIMEOUT_WITHOUT_SAMPLE.as_ns() / 1_000) as u32;
            (self.rtt.rttvar, self.rtt.mdev, self.rtt.mdev_max) = (us, us, us);
        }
        self.set_rto();
    }

    /// The connection stands.
    fn establish(&mut self, now: SimTime, window: u64, out: &mut Outbox) {
        if self.options.timestamps {
            self.recv.advertised_mss -= 12;
        }
        self.send.window = window;
        self.send.max_window = self.send.max_window.max(window);
        self.set_first_rto();
        self.sync_mss();
        self.guess_peer_mss();
        self.start_tuning(now);
        self.hystart_round(now);
        self.send.pushed = self.send.end;
        self.send.last_data = self.profile.clock.ticks(now);
        self.cong.stamp = self.send.last_data;
        self.start_keep_alive(now);
        out.signals.push(Signal::Connected);
    }

    /// The third segment of the handshake, or what stands for it. Linux `tcp_check_req`.
    fn on_third_segment(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        if seg.flags.has(Flags::RST) {
            self.timers.syn_ack = None;
            self.state = State::Listen;
            return;
        }
        if seg.flags.has(Flags::SYN) {
            self.loss.n_resent += 1;
            self.send_control(now, Flags::SYN.with(Flags::ACK), 0, out);
            if let Some(segment) = out.segments.last_mut() {
                segment.again = true;
            }
            return;
        }
        if !seg.flags.has(Flags::ACK) || seg.ack != 1 {
            if seg.flags.has(Flags::ACK) {
                self.refuse_segment(seg, out);
            }
            return;
        }
        self.timers.syn_ack = None;
        self.state = State::Established;
        (self.send.una, self.send.nxt, self.send.end) = (1, 1, 1);
        self.send.wl1 = seg.seq;
        let sent = self.loss.resent_since.take();
        if let Some(sent) = sent.filter(|_| self.loss.n_syn_timeouts == 0) {
            let us = now.since(sent).as_ns() / 1_000;
            self.rtt.least = us.max(1) as u32;
            self.estimate(us.max(1) as u32);
        }
        let n_timeouts = std::mem::take(&mut self.loss.n_syn_timeouts);
        self.start_after_loss(if n_timeouts == 0 { 0 } else { self.loss.n_resent }, false);
        self.establish(now, u64::from(seg.window), out);
        self.process(now, seg, out);
    }

    /// A segment of a connection that stands. RFC 9293 section 3.10.7.4.
    fn process(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        if !self.is_valid(now, seg, out) || !seg.flags.has(Flags::ACK) {
            return;
        }
        self.recv.heard = now;
        if let Some(stamps) = seg.stamps
            && seg.seq <= self.recv.window_at
        {
            self.recv.stamp = self.recv.stamp.max(stamps.value);
        }
        self.measure_receive_rtt_by_stamps(now, seg);
        if !self.take_ack(now, seg, out) {
            // It acknowledges what was never sent.
            self.send_ack(now, out);
            return;
        }
        if !self.advance_close(now, out) {
            return;
        }
        if self.is_orphan && self.brings_data_nobody_reads(seg) {
            self.refuse_segment(seg, out);
            self.finish(out);
            return;
        }
        self.take_data(now, seg, out);
        if self.state == State::Closed || self.state == State::TimeWait {
            return;
        }
        self.check_space(out);
        self.push_pending_now(now, out);
        self.decide_ack(now, out);
    }

    /// Our FIN may be acknowledged now; whether the connection is still to be worked on.
    fn advance_close(&mut self, now: SimTime, out: &mut Outbox) -> bool {
        if self.send.una != self.send.end {
            return true;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.is_orphan {
                    self.wait_for_the_end(now);
                }
            }
            State::Closing => {
                self.enter_time_wait(now);
                return false;
            }
            State::LastAck => {
                self.finish(out);
                return false;
            }
            _ => {}
        }
        true
    }

    fn brings_data_nobody_reads(&self, seg: &Segment) -> bool {
        let is_waiting = matches!(self.state, State::FinWait1 | State::FinWait2);
        is_waiting && 0 < seg.len && self.recv.next < seg.seq + u64::from(seg.len)
    }

    /// Whether a segment belongs into the window. Linux `tcp_validate_incoming`.
    fn is_valid(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) -> bool {
        let right = self.recv.next + self.recv.offered();
        if seg.end() < self.recv.window_at || right < seg.seq {
            if !seg.flags.has(Flags::RST) {
                self.answer_invalid(now, seg, out);
            }
            return false;
        }
        if seg.flags.has(Flags::RST) {
            if seg.seq == self.recv.next {
                self.on_reset(out);
            } else {
                self.send_ack(now, out);
            }
            return false;
        }
        if seg.flags.has(Flags::SYN) {
            // RFC 5961 section 4: a challenge.
            self.send_ack(now, out);
            return false;
        }
        true
    }

    /// Linux `tcp_send_dupack`, limited by `tcp_oow_rate_limited`.
    fn answer_invalid(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        let is_limited = seg.len == 0 && !seg.flags.has(Flags::FIN);
        if is_limited || seg.flags.has(Flags::SYN) {
            let last = self.acks.last_invalid;
            if last.is_some_and(|last| now.since(last) < INVALID_GAP) {
                return;
            }
            self.acks.last_invalid = Some(now);
        }
        if seg.seq != seg.end() && seg.seq < self.recv.next {
            self.enter_quick_mode();
            let end = seg.end().min(self.recv.next);
            self.report_duplicate(seg.seq, end);
        }
        self.send_ack(now, out);
    }

    /// The other end broke off. Linux `tcp_reset`.
    fn on_reset(&mut self, out: &mut Outbox) {
        let error = match self.state {
            State::CloseWait => Errno::Pipe,
            _ => Errno::ConnReset,
        };
        self.break_off(error, out);
    }

    /// The connection is over, and the application hears why.
    pub(super) fn break_off(&mut self, error: Errno, out: &mut Outbox) {
        if !self.is_orphan {
            self.error = Some(error);
            out.signals.push(Signal::Broken(error));
        }
        self.write_is_shut = true;
        self.read_is_shut = true;
        self.finish(out);
    }

    /// Nothing is left to do.
    pub(super) fn finish(&mut self, out: &mut Outbox) {
        if self.state != State::Closed {
            out.signals.push(Signal::Closed);
        }
        self.state = State::Closed;
        self.timers = Timers::default();
        self.send.queue.clear();
        self.rack.order.clear();
        self.send.n_sent = 0;
        self.send.memory = 0;
        (self.loss.n_sacked, self.loss.n_lost, self.loss.n_resent_out) = (0, 0, 0);
    }

    /// The other end's FIN. Linux `tcp_fin`.
    pub(super) fn take_fin(&mut self, now: SimTime, out: &mut Outbox) {
        self.acks.is_due = true;
        self.read_is_shut = true;
        self.recv.held.clear();
        self.recv.held_bytes = 0;
        self.acks.sacks = Sack::default();
        out.signals.push(Signal::PeerClosed);
        match self.state {
            State::Established | State::SynReceived => {
                self.state = State::CloseWait;
                self.acks.ping_pong = true;
            }
            State::FinWait1 => {
                self.send_ack(now, out);
                self.state = State::Closing;
            }
            State::FinWait2 => {
                self.send_ack(now, out);
                self.enter_time_wait(now);
            }
            _ => {}
        }
    }

    fn enter_time_wait(&mut self, now: SimTime) {
        self.timers = Timers::default();
        self.state = State::TimeWait;
        self.wait_for_the_end(now);
    }

    fn wait_for_the_end(&mut self, now: SimTime) {
        let delay = self.profile.clock.ticks_of(TIME_WAIT);
        self.timers.time_wait = Some(self.profile.clock.alarm(now, delay));
    }

    /// Both ends closed; the other may have missed our last acknowledgement.
    fn on_stray_segment(&mut self, now: SimTime, seg: &Segment, out: &mut Outbox) {
        if seg.flags.has(Flags::RST) {
            if seg.seq == self.recv.next {
                self.finish(out);
            }
            return;
        }
        if 0 < seg.space() {
            self.send_ack(now, out);
            self.wait_for_the_end(now);
        }
    }
}
