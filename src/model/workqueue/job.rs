//! A job and where it is.

use super::{Body, WorkerNo};
use crate::kernel::{SimSpan, SimTime};

/// A job's number: it grows with every put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits for a worker.
    Ready,
    /// A worker holds it.
    Reserved {
        /// Who.
        by: WorkerNo,
        /// When it is taken back.
        until: SimTime,
    },
    /// It waits for its time.
    Delayed {
        /// When it becomes ready.
        until: SimTime,
    },
    /// It was put aside until somebody kicks it.
    Buried,
}

/// A job that is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Lower is sooner.
    pub priority: u32,
    /// How long a worker may hold it.
    pub ttr: SimSpan,
    /// What it carries.
    pub body: Body,
    /// Where it is.
    pub state: JobState,
}
