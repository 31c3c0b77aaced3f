//! The models that the kernel is measured with, the same as in the study of other simulators.
//!
//! | name | model | events |
//! |---|---|---|
//! | `mm1` | one server at load 0.9, mean service 1 s | 2 a customer |
//! | `tandem` | 10 stations of 4 servers, each at load 0.9 | 11 a customer |
//! | `hold` | n pending; the earliest is scheduled again exp(1 s) later | 1 a turn |
//! | `timers` | n flows; an ack after exp(200 ms / ln 5) sets a 200 ms timer anew | 1.2 a turn |
//!
//! | `world-mm1` | the same as `mm1`, from a scenario document | 2 a customer |
//! | `sinks-mm1` | `world-mm1` with every sink | 2 a customer |
//! | `tcp-bulk` | a transfer over tcp, from a scenario document | 1 a segment or acknowledgement |
//! | `logs` | a log broker, 16 partitions, 8 consumers, from a document | 1 a message |
//!
//! All but the last four use the kernel alone: queue, timers, streams, digest. [`seeks`] goes to
//! and fro in a session.

#![allow(dead_code, reason = "each program that shares the models uses a part of them")]

mod bulk;
mod hold;
pub mod crash;
mod logs;
pub mod seeks;
mod stations;
mod timers;
mod whole;

/// A model that can run on for as long as one likes.
pub trait Model {
    /// Runs about `n` more events and gives the exact number.
    fn run(&mut self, n: u64) -> u64;

    /// A number that any change of behaviour changes; the same natively and in the browser.
    fn check(&self) -> u64;

    /// What theory knows about the model: (simulated, exact), if the run was long enough.
    fn theory(&self) -> Option<(f64, f64)>;
}

/// A model and how large it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Case {
    /// As in the table above.
    pub name: &'static str,
    /// Pending events or flows; 1 where the model has no size.
    pub n: u32,
}

/// All cases, in the order of the table.
pub const CASES: [Case; 10] = [
    Case { name: "mm1", n: 1 },
    Case { name: "tandem", n: 1 },
    Case { name: "hold", n: 100 },
    Case { name: "hold", n: 10_000 },
    Case { name: "hold", n: 1_000_000 },
    Case { name: "timers", n: 10_000 },
    Case { name: "world-mm1", n: 1 },
    Case { name: "sinks-mm1", n: 1 },
    Case { name: "tcp-bulk", n: 1 },
    Case { name: "logs", n: 16 },
];

/// The model of a case, run until it is in its steady state.
pub fn make(case: Case) -> Box<dyn Model> {
    let mut model: Box<dyn Model> = match case.name {
        "mm1" => Box::new(stations::Stations::new(1, 1)),
        "tandem" => Box::new(stations::Stations::new(10, 4)),
        "hold" => Box::new(hold::Hold::new(case.n)),
        "timers" => Box::new(timers::Flows::new(case.n)),
        "world-mm1" => Box::new(whole::Whole::mm1(false)),
        "sinks-mm1" => Box::new(whole::Whole::mm1(true)),
        "tcp-bulk" => Box::new(bulk::Bulk::new()),
        "logs" => Box::new(logs::Logs::new()),
        other => unreachable!("no case is named {other}"),
    };
    model.run(u64::from(case.n).max(50_000) * 4);
    model
}
