//! What a broker itself needs: work on one core, a disk, memory; and what happens when it runs out.
//!
//! One message is taken in at a time: while the broker works on it, or its disk writes it, nothing
//! else is read, and the channels in front fill: that is how a slow broker slows its senders.
//! Above the watermark, or with too little free disk, nothing is read from publishers; consumers
//! go on (RabbitMQ, memory and disk alarms).
//!
//! It leaves out several cores, paging to disk before the alarm, and the cost of acknowledging.

use super::BrokerActor;
use super::params::SyncPolicy;
use crate::kernel::{SimSpan, SimTime};
use crate::model::fact::{Cause, Fact, Resource};
use crate::model::ground::{Ctx, Lane};
use crate::model::message::{Message, MsgId, Parcel};

/// After so long the system writes by itself what nobody forces to the disk
/// (Linux, `vm.dirty_expire_centisecs` = 3000).
const WRITE_BACK: SimSpan = SimSpan::s(30);
/// The parts of the watermark and of shares.
const MILLION: u128 = 1_000_000;

/// What the broker is busy with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Task {
    /// Its core works on a publish.
    Works {
        /// From which port.
        port: u16,
        /// Its number.
        seq: u64,
        /// What was published.
        message: Message,
    },
    /// Its disk writes one.
    Writes {
        /// From which port.
        port: u16,
        /// Its number.
        seq: u64,
        /// What was published.
        message: Message,
    },
    /// Its disk writes all that waits.
    Syncs,
}

/// What is used, what is under way, and what is not on the disk yet.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Resources {
    /// What it is busy with, and until when.
    pub task: Option<(Task, SimTime)>,
    /// Bytes in memory: bodies and what comes with each message.
    pub memory: u64,
    /// Bytes of durable messages on the disk.
    pub disk: u64,
    /// What it has run out of.
    pub alarm: Option<Resource>,
    /// The last alarm that is over: from, to.
    pub last_alarm: Option<(SimTime, SimTime)>,
    since: SimTime,
    /// When all that waits is to be on the disk.
    sync_at: Option<SimTime>,
    /// Confirmations that wait for that: port, number, message.
    confirms: Vec<(u16, u64, MsgId)>,
    /// By queue: what has a smaller position is on the disk.
    written: Vec<u64>,
}

impl Resources {
    /// The publish that it is busy with.
    pub fn in_hand(&self) -> Option<&Message> {
        match &self.task {
            Some((Task::Works { message, .. } | Task::Writes { message, .. }, _)) => Some(message),
            _ => None,
        }
    }
}

impl BrokerActor {
    /// Whether it reads from the port now.
    pub fn wants(&self, cx: &Ctx<'_>, port: u16) -> bool {
        let is_publisher = cx.seat.ports[usize::from(port)].out == Lane::Back;
        let is_held = is_publisher && self.resources.alarm.is_some();
        self.peers[usize::from(port)].waiting.is_none() && self.resources.task.is_none() && !is_held
    }

    /// A publish came: it takes its time, if it takes any.
    pub(super) fn begin(&mut self, cx: &mut Ctx<'_>, port: u16, seq: u64, message: Message) {
        self.excuse(cx, &message);
        let span = self.work_on(port, &message);
        let task = Task::Works { port, seq, message };
        if span.is_zero() {
            return self.write(cx, task);
        }
        cx.fact(Fact::Held { msg: message.id, cause: Cause::BrokerWork });
        self.resources.task = Some((task, cx.now().saturating_add(span)));
    }

    /// What its core needs for a publish.
    fn work_on(&self, port: u16, message: &Message) -> SimSpan {
        let queue = usize::from(self.peers[usize::from(port)].queue);
        let mut ns = u128::from(self.params.work.as_ns());
        if self.is_audited(queue) {
            // One record when it is written, one when it is read.
            ns += 2 * u128::from(self.params.audit_time.as_ns());
        }
        if self.is_encrypted(queue) {
            ns += u128::from(self.params.encrypt_time.as_ns()) * u128::from(message.bytes) / 1_024;
        }
        SimSpan::ns(u64::try_from(ns).unwrap_or(u64::MAX >> 1))
    }

    /// The disk writes a durable message before it counts as taken, if the policy says so.
    fn write(&mut self, cx: &mut Ctx<'_>, task: Task) {
        let Task::Works { port, seq, message } = task else { return };
        let span = self.params.sync_time;
        if self.params.sync == SyncPolicy::Message && self.is_durable(port) && !span.is_zero() {
            cx.fact(Fact::Held { msg: message.id, cause: Cause::Disk });
            let task = Task::Writes { port, seq, message };
            self.resources.task = Some((task, cx.now().saturating_add(span)));
        } else {
            self.on_publish(cx, port, seq, message);
        }
    }

    fn is_durable(&self, port: u16) -> bool {
        let queue = usize::from(self.peers[usize::from(port)].queue);
        let own = self.lines.get(queue).and_then(|line| line.durable);
        own.unwrap_or(self.params.durable)
    }

    /// What it was busy with is over: the next thing begins.
    pub(super) fn go_on(&mut self, cx: &mut Ctx<'_>) {
        while let Some((task, _)) = self.resources.task.take_if(|(_, until)| *until <= cx.now()) {
            match task {
                Task::Works { .. } => self.write(cx, task),
                Task::Writes { port, seq, message } => self.on_publish(cx, port, seq, message),
                Task::Syncs => self.on_synced(cx),
            }
            self.carry_out(cx);
            if self.resources.task.is_none() {
                self.begin_sync(cx);
            }
            if self.resources.task.is_none() {
                self.read_on(cx);
            }
        }
        if self.resources.task.is_none() {
            self.begin_sync(cx);
        }
    }

    /// Reads again what waits on its ports, beginning behind the one that it read last.
    fn read_on(&mut self, cx: &mut Ctx<'_>) {
        let n = cx.n_ports();
        for turn in 1..=n {
            cx.read_again((self.last_port + turn) % n);
        }
    }

    /// When its task is over, or the disk is to be synced.
    pub(super) fn next_resource(&self) -> Option<SimTime> {
        let task = self.resources.task.map(|(_, until)| until);
        let idle_sync = self.resources.sync_at.filter(|_| task.is_none());
        task.or(idle_sync)
    }

    /// Something durable changed: it is to be on the disk some time.
    pub(super) fn note_change(&mut self, now: SimTime) {
        let interval = match self.params.sync {
            SyncPolicy::Message => return,
            SyncPolicy::Interval => self.params.sync_interval,
            SyncPolicy::Never => WRITE_BACK,
        };
        self.resources.sync_at.get_or_insert(now.saturating_add(interval));
    }

    fn begin_sync(&mut self, cx: &mut Ctx<'_>) {
        if self.resources.sync_at.is_none_or(|at| cx.now() < at) {
            return;
        }
        // The system writes in the background what nobody forces.
        if self.params.sync_time.is_zero() || self.params.sync == SyncPolicy::Never {
            return self.on_synced(cx);
        }
        let until = cx.now().saturating_add(self.params.sync_time);
        self.resources.task = Some((Task::Syncs, until));
    }

    /// Everything up to now is on the disk; who waited to hear that hears it.
    fn on_synced(&mut self, cx: &mut Ctx<'_>) {
        self.resources.sync_at = None;
        self.broker.sync();
        self.resources.written = self.positions();
        cx.fact(Fact::Synced { at: cx.me });
        for (port, seq, msg) in std::mem::take(&mut self.resources.confirms) {
            cx.write(port, Parcel::Confirm { seq, msg, accepted: true }, false);
        }
    }

    fn positions(&self) -> Vec<u64> {
        let position = |id: &Option<_>| {
            id.and_then(|id| self.broker.queue(id)).map_or(0, |queue| queue.next_position())
        };
        self.queues.iter().map(position).collect()
    }

    /// Tells a publisher that its message is taken: at once, or when it is on the disk.
    pub(super) fn confirm(
        &mut self,
        cx: &mut Ctx<'_>,
        port: u16,
        (seq, msg): (u64, MsgId),
        accepted: bool,
    ) {
        if seq == 0 {
            return;
        }
        if accepted && self.params.sync == SyncPolicy::Interval && self.is_durable(port) {
            self.resources.confirms.push((port, seq, msg));
            return;
        }
        cx.write(port, Parcel::Confirm { seq, msg, accepted }, false);
    }

    /// The machine under it stops: says the queues what of theirs is not on the disk.
    pub(super) fn lose_unwritten(&mut self) {
        // Every acknowledgement was written when it came.
        self.broker.sync();
        if self.params.sync == SyncPolicy::Message {
            return;
        }
        for (n, id) in self.queues.iter().enumerate() {
            if let Some(id) = id {
                let written = self.resources.written.get(n).copied().unwrap_or(0);
                self.broker.lose_from(*id, written);
            }
        }
    }

    /// After a crash: nothing is under way, and what is left is counted anew.
    pub(super) fn recount(&mut self) {
        let mut held = Resources { last_alarm: self.resources.last_alarm, ..Resources::default() };
        for (_, queue) in self.broker.queues() {
            let bytes: u64 = queue.ready().map(|entry| self.weight(entry.bytes)).sum();
            held.memory += bytes;
            if queue.spec.durable {
                held.disk += queue.ready().map(|entry| u64::from(entry.bytes)).sum::<u64>();
            }
        }
        self.resources = held;
        self.resources.written = self.positions();
    }

    /// What a message takes in memory.
    fn weight(&self, bytes: u32) -> u64 {
        u64::from(bytes) + self.params.overhead.0
    }

    /// A copy of a message came in or went.
    pub(super) fn note_bytes(&mut self, bytes: u32, is_durable: bool, comes: bool) {
        let (weight, on_disk) = (self.weight(bytes), if is_durable { u64::from(bytes) } else { 0 });
        let Resources { memory, disk, .. } = &mut self.resources;
        if comes {
            (*memory, *disk) = (*memory + weight, *disk + on_disk);
        } else {
            *memory = memory.saturating_sub(weight);
            *disk = disk.saturating_sub(on_disk);
        }
    }

    /// What it has run out of, if anything.
    fn shortage(&self) -> Option<Resource> {
        let params = &self.params;
        let mark = u128::from(params.memory.0) * u128::from(params.watermark.0) / MILLION;
        if params.memory.0 != 0 && mark < u128::from(self.resources.memory) {
            return Some(Resource::Memory);
        }
        let free = params.disk.0.saturating_sub(self.resources.disk);
        (params.disk.0 != 0 && free < params.disk_free_limit.0).then_some(Resource::Disk)
    }

    /// Raises the alarm, or ends it and reads from publishers again.
    pub(super) fn check_alarm(&mut self, cx: &mut Ctx<'_>) {
        let shortage = self.shortage();
        let before = self.resources.alarm;
        if before == shortage {
            return;
        }
        self.resources.alarm = shortage;
        if let Some(resource) = before {
            cx.fact(Fact::Alarm { at: cx.me, resource, on: false });
        }
        match shortage {
            Some(resource) => {
                if before.is_none() {
                    // An alarm that comes again at once is one alarm.
                    let last = self.resources.last_alarm.filter(|(_, to)| *to == cx.now());
                    self.resources.since = last.map_or(cx.now(), |(from, _)| from);
                }
                cx.fact(Fact::Alarm { at: cx.me, resource, on: true });
            }
            None => {
                self.resources.last_alarm = Some((self.resources.since, cx.now()));
                self.read_on(cx);
            }
        }
    }

    /// Of the time that a message lay unread, the alarm's part is charged to the alarm.
    fn excuse(&mut self, cx: &mut Ctx<'_>, message: &Message) {
        if let Some((from, to)) = self.resources.last_alarm
            && message.born < to
        {
            cx.fact(Fact::Excused { msg: message.id, cause: Cause::Alarm, from, to });
        }
    }
}
