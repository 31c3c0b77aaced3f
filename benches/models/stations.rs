//! Stations in a row, each with one queue and several servers: M/M/1 and the tandem.

use std::collections::VecDeque;

use inflight::kernel::{EventQueue, SimSpan, SimTime, Stream, Streams};

use super::Model;

const SERVICE: SimSpan = SimSpan::s(1);
/// Arrivals come at 0.9 of what the servers can do.
const GAP_NS: f64 = 1e9 / 0.9;

/// Room for customers from the start, so that only the kernel can allocate later.
const ROOM: usize = 4_096;

#[derive(Clone, Copy)]
enum Event {
    Arrive,
    Depart { customer: u32 },
}

#[derive(Clone, Copy)]
struct Customer {
    born: SimTime,
    station: u32,
}

struct Station {
    n_busy: u32,
    waiting: VecDeque<u32>,
}

pub struct Stations {
    queue: EventQueue<Event>,
    stream: Stream,
    stations: Vec<Station>,
    n_servers: u32,
    gap: SimSpan,
    customers: Vec<Customer>,
    /// Places in `customers` whose customer has left.
    free: Vec<u32>,
    sojourn: SimSpan,
    n_done: u64,
}

impl Stations {
    pub fn new(n_stations: u32, n_servers: u32) -> Stations {
        let mut queue = EventQueue::new();
        queue.schedule(SimTime::ZERO, Event::Arrive);
        Stations {
            queue,
            stream: Streams::new(777).stream(0, 0),
            stations: (0..n_stations)
                .map(|_| Station { n_busy: 0, waiting: VecDeque::with_capacity(ROOM) })
                .collect(),
            n_servers,
            gap: SimSpan::ns((GAP_NS / f64::from(n_servers)) as u64),
            customers: Vec::with_capacity(ROOM),
            free: Vec::with_capacity(ROOM),
            sojourn: SimSpan::ZERO,
            n_done: 0,
        }
    }

    fn arrive(&mut self, now: SimTime) {
        self.queue.schedule(now + self.stream.exponential(self.gap), Event::Arrive);
        let arrived = Customer { born: now, station: 0 };
        let customer = if let Some(customer) = self.free.pop() {
            self.customers[customer as usize] = arrived;
            customer
        } else {
            self.customers.push(arrived);
            self.customers.len() as u32 - 1
        };
        self.enter(now, 0, customer);
    }

    fn enter(&mut self, now: SimTime, station: usize, customer: u32) {
        if self.stations[station].n_busy < self.n_servers {
            self.stations[station].n_busy += 1;
            self.serve(now, customer);
        } else {
            self.stations[station].waiting.push_back(customer);
        }
    }

    fn serve(&mut self, now: SimTime, customer: u32) {
        self.queue.schedule(now + self.stream.exponential(SERVICE), Event::Depart { customer });
    }

    fn depart(&mut self, now: SimTime, customer: u32) {
        let Customer { born, station } = self.customers[customer as usize];
        let station = station as usize;
        if let Some(next) = self.stations[station].waiting.pop_front() {
            self.serve(now, next);
        } else {
            self.stations[station].n_busy -= 1;
        }
        if station + 1 < self.stations.len() {
            self.customers[customer as usize].station += 1;
            self.enter(now, station + 1, customer);
        } else {
            self.sojourn += now - born;
            self.n_done += 1;
            self.free.push(customer);
        }
    }
}

impl Model for Stations {
    fn run(&mut self, n: u64) -> u64 {
        for _ in 0..n {
            let (now, event) = self.queue.pop().expect("arrivals go on");
            match event {
                Event::Arrive => self.arrive(now),
                Event::Depart { customer } => self.depart(now, customer),
            }
        }
        n
    }

    fn check(&self) -> u64 {
        self.sojourn.as_ns()
    }

    /// The mean sojourn in seconds.
    fn theory(&self) -> Option<(f64, f64)> {
        let simulated = self.sojourn.as_secs_f64() / self.n_done as f64;
        // M/M/c: 1 + C/(c (1 - rho)) with Erlang's C = 0.7878 for c = 4, at each station.
        let exact = if self.n_servers == 1 { 10.0 } else { 10.0 * (1.0 + 0.7878 / 0.4) };
        Some((simulated, exact))
    }
}
