//! A producer's transactions: it begins, gathers records, waits until all are written, and commits
//! or aborts.
//!
//! A transaction has `transaction` records, or fewer when no more are to come. While it begins or
//! ends, new messages wait for the next one. Its messages count as sent when it is committed; of an
//! aborted one they are gone: this application does not try again.

use std::collections::VecDeque;

use crate::kernel::{SimSpan, SimTime};
use crate::model::actor::log::producer::LogProducer;
use crate::model::command::Node;
use crate::model::fact::{Cause, Fact, Why};
use crate::model::ground::{Ctx, Purpose};
use crate::model::log::{ProduceError, ProducerError, TxnEnd, TxnReply};
use crate::model::log_parcel::LogParcel;
use crate::model::message::{Message, MsgId, Parcel};

/// Where a producer's transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It asks the coordinator who it is; until `due` it waits for the answer.
    Beginning {
        /// When it asks again.
        due: SimTime,
    },
    /// Records come in.
    Open,
    /// All have come in, and are being written.
    Flushing,
    /// It has asked for the end, and waits for the answer.
    Ending {
        /// Which.
        end: TxnEnd,
        /// When it asks again.
        due: SimTime,
    },
}

/// A producer's transactions.
#[derive(Clone, PartialEq, Debug)]
pub struct Txn {
    /// Where the present one is.
    pub stage: Stage,
    /// Which incarnation of its producer writes it.
    pub incarnation: u32,
    /// Records of the present one so far.
    pub n_records: u32,
    /// Those that are acknowledged.
    pub written: Vec<MsgId>,
    /// Messages that wait for the next one.
    pub waiting: VecDeque<Message>,
    /// How many ended, in whatever way.
    pub n_ended: u64,
    /// A batch of it was given up: it can only be aborted.
    is_doomed: bool,
    /// Beginnings so far, over all incarnations.
    n_begun: u32,
}

impl Txn {
    fn new(n_begun: u32, n_ended: u64) -> Txn {
        Txn {
            stage: Stage::Beginning { due: SimTime::ZERO },
            incarnation: 0,
            n_records: 0,
            written: Vec::new(),
            waiting: VecDeque::new(),
            n_ended,
            is_doomed: false,
            n_begun,
        }
    }

    /// When it asks the coordinator again.
    pub fn due(&self) -> Option<SimTime> {
        match self.stage {
            Stage::Beginning { due } | Stage::Ending { due, .. } => Some(due),
            Stage::Open | Stage::Flushing => None,
        }
    }

    /// Its process stood still for so long.
    pub fn postpone(&mut self, span: SimSpan) {
        if let Stage::Beginning { due } | Stage::Ending { due, .. } = &mut self.stage {
            *due += span;
        }
    }

    fn over(&mut self) {
        self.n_records = 0;
        self.n_ended += 1;
        self.is_doomed = false;
        self.written.clear();
    }
}

impl LogProducer {
    /// It starts: an open transaction of its predecessor is aborted.
    pub(super) fn begin_transactions(&mut self, cx: &mut Ctx<'_>) {
        if !self.params.is_transactional() || cx.n_ports() == 0 {
            return;
        }
        let (n_begun, n_ended) = self.txn.as_ref().map_or((0, 0), |t| (t.n_begun, t.n_ended));
        self.txn = Some(Box::new(Txn::new(n_begun + 1, n_ended)));
        self.ask_coordinator(cx);
    }

    /// Asks what is to be asked, and waits for the answer.
    pub(super) fn ask_coordinator(&mut self, cx: &mut Ctx<'_>) {
        let again_at = cx.now().saturating_add(self.params.request_timeout);
        let millis = self.params.transaction_timeout.as_ns() / 1_000_000;
        let Some(txn) = &mut self.txn else { return };
        let request = match &mut txn.stage {
            Stage::Beginning { due } => {
                *due = again_at;
                let timeout_ms = u32::try_from(millis).unwrap_or(u32::MAX);
                LogParcel::TxnBegin { number: txn.n_begun, timeout_ms }
            }
            Stage::Ending { end, due } => {
                *due = again_at;
                LogParcel::TxnEnd { incarnation: txn.incarnation, end: *end }
            }
            Stage::Open | Stage::Flushing => return,
        };
        cx.write(0, Parcel::Log(request), false);
    }

    /// Whether a message goes into a batch now; else it waits for the next transaction.
    pub(super) fn admits(&mut self, cx: &mut Ctx<'_>, message: &Message) -> bool {
        let most = self.params.transaction.0;
        let Some(txn) = &mut self.txn else { return true };
        if txn.stage == Stage::Open && txn.n_records < most {
            txn.n_records += 1;
            return true;
        }
        txn.waiting.push_back(*message);
        cx.fact(Fact::Held { msg: message.id, cause: Cause::OpenTransaction });
        false
    }

    /// A transaction that has all its records is written, then ended.
    pub(super) fn drive_transaction(&mut self, cx: &mut Ctx<'_>) {
        let Some(txn) = &mut self.txn else { return };
        let is_last = self.next_at.is_none() && txn.waiting.is_empty() && txn.n_records != 0;
        let is_full = txn.n_records == self.params.transaction.0 || txn.is_doomed || is_last;
        if txn.stage == Stage::Open && is_full {
            txn.stage = Stage::Flushing;
            self.sender.accumulator_mut().linger = SimSpan::ZERO;
            // What is ready by that is sent now, and it comes back here.
            return self.drive(cx);
        }
        if txn.due().is_some_and(|due| due <= cx.now()) {
            return self.ask_coordinator(cx);
        }
        let gauges = self.sender.gauges();
        if txn.stage == Stage::Flushing && gauges.n_waiting == 0 && gauges.n_unsettled == 0 {
            let nth = txn.n_ended + 1;
            let is_planned = match u64::from(self.params.abort_every.0) {
                0 => false,
                every => nth.is_multiple_of(every),
            };
            let chance = u64::from(self.params.abort.0);
            let is_drawn = 0 < chance && cx.draw(Purpose::Fail, nth).below(1_000_000) < chance;
            let aborts = txn.is_doomed || is_planned || is_drawn;
            let end = if aborts { TxnEnd::Abort } else { TxnEnd::Commit };
            txn.stage = Stage::Ending { end, due: cx.now() };
            self.ask_coordinator(cx);
        }
    }

    /// The coordinator has answered.
    pub(super) fn on_txn_reply(&mut self, cx: &mut Ctx<'_>, reply: TxnReply) {
        let Some(txn) = &mut self.txn else { return };
        match (txn.stage, reply) {
            (Stage::Beginning { .. }, TxnReply::Begun { number, incarnation })
                if number == txn.n_begun =>
            {
                self.open(cx, incarnation);
            }
            (Stage::Ending { end, .. }, TxnReply::Ended { incarnation })
                if txn.incarnation < incarnation =>
            {
                let accepted = end == TxnEnd::Commit;
                self.release_written(cx, accepted);
                self.open(cx, incarnation);
            }
            (Stage::Ending { .. }, TxnReply::Fenced) => self.on_fenced(cx),
            _ => return,
        }
        self.drive(cx);
    }

    /// Whether this answer to a batch says that another incarnation has taken its place.
    pub(super) fn is_fencing(&self, ticket: u32, result: Result<(), ProduceError>) -> bool {
        let is_fenced = match result {
            Err(ProduceError::Producer(error)) => error == ProducerError::InvalidProducerEpoch,
            _ => false,
        };
        self.txn.is_some() && is_fenced && !self.sender.batch(u64::from(ticket)).is_empty()
    }

    /// Its transaction was aborted without it: what was in it is gone, and it begins anew.
    pub(super) fn on_fenced(&mut self, cx: &mut Ctx<'_>) {
        self.release_written(cx, false);
        let at = Node::Actor(cx.me);
        let unwritten = self.sender.unsettled().chain(self.sender.accumulator().records());
        let mut n = 0;
        for record in unwritten {
            cx.fact(Fact::Dropped { msg: record.message.id, at, why: Why::Aborted });
            n += 1;
        }
        self.n_held -= n;
        self.outgoing.clear();
        self.sender.abandon();
        let Some(txn) = &mut self.txn else { return };
        txn.n_begun += 1;
        txn.stage = Stage::Beginning { due: cx.now() };
        self.ask_coordinator(cx);
    }

    /// A batch is acknowledged: its messages count when the transaction is committed.
    pub(super) fn note_written(&mut self, messages: &[Message]) {
        if let Some(txn) = &mut self.txn {
            txn.written.extend(messages.iter().map(|message| message.id));
        }
    }

    /// A batch was given up: the transaction can only be aborted.
    pub(super) fn doom(&mut self) {
        if let Some(txn) = &mut self.txn {
            txn.is_doomed = true;
        }
    }

    /// Its process dies: what it remembered of a transaction is gone.
    pub(super) fn crash_transaction(&mut self, cx: &mut Ctx<'_>) {
        let at = Node::Actor(cx.me);
        let Some(txn) = &mut self.txn else { return };
        let waiting = txn.waiting.drain(..).map(|message| message.id);
        for msg in txn.written.drain(..).chain(waiting) {
            cx.fact(Fact::Dropped { msg, at, why: Why::Crash });
        }
    }

    /// How long batches wait for company: when they are to be written, not at all.
    pub(super) fn linger(&self) -> SimSpan {
        match &self.txn {
            Some(txn) if txn.stage == Stage::Flushing => SimSpan::ZERO,
            _ => self.params.linger,
        }
    }

    /// The next transaction begins, with what has waited for it.
    fn open(&mut self, cx: &mut Ctx<'_>, incarnation: u32) {
        let Some(txn) = &mut self.txn else { return };
        txn.stage = Stage::Open;
        txn.incarnation = incarnation;
        // Under another epoch its batches are counted anew.
        self.sender.begin_epoch(0);
        self.sender.accumulator_mut().linger = self.params.linger;
        let most = self.params.transaction.0;
        while let Some(txn) = &mut self.txn
            && txn.n_records < most
            && let Some(message) = txn.waiting.pop_front()
        {
            txn.n_records += 1;
            self.put(cx, message);
        }
    }

    /// The transaction is over: whether its messages count is known.
    fn release_written(&mut self, cx: &mut Ctx<'_>, accepted: bool) {
        let by = cx.me;
        let Some(txn) = &mut self.txn else { return };
        for msg in &txn.written {
            cx.fact(Fact::Confirmed { msg: *msg, by, accepted });
            cx.fact(Fact::Released { msg: *msg, by });
        }
        self.n_held -= txn.written.len() as u32;
        txn.over();
    }
}
