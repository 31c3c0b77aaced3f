//! Several stations, batches of arrivals, closed loops: tandem, feed-forward networks, splitting
//! against one shared queue, clients that wait for their answers.

use serde_json::Value;

use super::Answer;
use super::collect::{Noise, ScopeSpec, WatchSpec};
use super::estimate::{Estimate, Figure, NS, Quantity, Ratio};
use super::rows::{
    AT_WORK, IN_SYSTEM, LEFT, Row, SHARES, SOJOURN, Station, count, list, percentiles, scope_for,
    steady, timed, work,
};
use super::runs::{Experiment, Outcome, run};
use super::worlds::{Draft, ns, ppm, rate, span, watch_over};

/// Most stations of a row, and most actors of a group.
const MOST_STATIONS: u64 = 50;

fn quantity(name: impl Into<String>, theory: f64, scope: usize, ratio: Ratio) -> Quantity {
    Quantity { name: name.into(), theory, scope, figure: Figure::Mean(ratio, 1.0) }
}

/// `tandem`: stations in a row, without loss.
pub fn tandem(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let arrivals = row.given("lambda_")?;
    let rates: Vec<f64> = list(row.params, "mus").collect();
    if rates.is_empty() || MOST_STATIONS < rates.len() as u64 {
        return Err(format!("`mus` is no list of 1 to {MOST_STATIONS} numbers"));
    }
    let edges = (1..rates.len()).map(|n| (n - 1, n, 1.0)).collect::<Vec<_>>();
    let mut quantities = Vec::new();
    for (n, theory) in list(row.results, "W_stages").enumerate() {
        quantities.push(quantity(format!("W_stages[{n}]"), theory, n, SOJOURN));
    }
    for (n, theory) in list(row.results, "rho_stages").enumerate() {
        quantities.push(quantity(format!("rho_stages[{n}]"), theory, n, AT_WORK));
    }
    let whole = rates.len();
    quantities.push(quantity("W_total", row.result("W_total")?, whole, SOJOURN));
    quantities.push(quantity("L_total", row.result("L_total")?, whole, IN_SYSTEM));
    quantities.extend(percentiles(row.results, "sojourn_percentiles", whole, |level, share| {
        Figure::Sojourn { level, share }
    }));
    let net = Net { gammas: vec![arrivals], flows: vec![arrivals; rates.len()], rates, edges };
    run(&net.experiment(quantities)?, seed).map(Answer::Measured)
}

/// `jackson`: open networks in which every station passes on by chance, also back.
pub fn jackson(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let gammas: Vec<f64> = list(row.params, "gamma").collect();
    let rates: Vec<f64> = list(row.params, "mu").collect();
    let flows: Vec<f64> = list(row.results, "lambda_").collect();
    let n = rates.len();
    let routing = row.params.get("routing").and_then(Value::as_array).ok_or("no `routing`")?;
    let mut edges = Vec::new();
    for (from, shares) in routing.iter().enumerate() {
        for (to, share) in shares.as_array().into_iter().flatten().enumerate() {
            let share = share.as_f64().filter(|share| (0.0..=1.0).contains(share));
            match share.ok_or("`routing` holds no shares")? {
                0.0 => {}
                share => edges.push((from, to, share)),
            }
        }
    }
    let fits = gammas.len() == n && flows.len() == n && n as u64 <= MOST_STATIONS && n != 0;
    if !fits || edges.iter().any(|(from, to, _)| n <= *to || n <= *from || from == to) {
        return Err("`gamma`, `mu`, `routing` and `lambda_` do not fit together".to_owned());
    }
    let mut quantities = Vec::new();
    for (key, ratio) in [("rho", AT_WORK), ("L", IN_SYSTEM), ("W_stations", SOJOURN)] {
        for (station, theory) in list(row.results, key).enumerate().take(n) {
            quantities.push(quantity(format!("{key}[{station}]"), theory, station, ratio));
        }
    }
    quantities.push(quantity("W_network", row.result("W_network")?, n, SOJOURN));
    run(&Net { gammas, flows, rates, edges }.experiment(quantities)?, seed).map(Answer::Measured)
}

/// Stations of one server each, with exponential work.
struct Net {
    /// What comes to each station from outside, per second.
    gammas: Vec<f64>,
    /// All that comes to each station.
    flows: Vec<f64>,
    /// Service rates.
    rates: Vec<f64>,
    /// Who passes on to whom, and which part.
    edges: Vec<(usize, usize, f64)>,
}

impl Net {
    /// One scope per station, and one more for the whole way.
    fn experiment(&self, quantities: Vec<Quantity>) -> Result<Experiment, String> {
        let mut draft = Draft::default();
        let ids: Vec<String> = (0..self.rates.len()).map(|n| format!("station-{n}")).collect();
        for (n, (id, mu)) in ids.iter().zip(&self.rates).enumerate() {
            let mut station = work(1.0 / mu, "exponential", 1.0);
            let shares = self.edges.iter().filter(|(from, ..)| *from == n).map(|edge| ppm(edge.2));
            let shares: Vec<String> = shares.collect();
            if !shares.is_empty() {
                station.push(("shares", shares.join("; ")));
            }
            draft.actor(id, "consumer", &station);
        }
        for (n, gamma) in self.gammas.iter().enumerate().filter(|(_, gamma)| **gamma != 0.0) {
            let producer = format!("source-{n}");
            draft.actor(&producer, "producer", &[("rate", rate(*gamma))]);
            draft.channel(&producer, &ids[n], 0.0);
        }
        for (from, to, _) in &self.edges {
            draft.channel(&ids[*from], &ids[*to], 0.0);
        }
        let plan = draft.plan()?;
        let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut watch: WatchSpec = watch_over(&plan, &refs);
        let mut memory = 0.0_f64;
        for (n, scope) in watch.scopes.iter_mut().enumerate() {
            let (flow, mu) = (self.flows[n], self.rates[n]);
            let spare = mu - flow;
            if spare <= 0.0 {
                return Err("a station is overloaded".to_owned());
            }
            memory = memory.max(libm::pow(1.0 - flow / mu, -2.0));
            let levels = SHARES.map(|share| ns(-libm::log(1.0 - share) / spare));
            // Only the first station sees gaps that nothing before has shaped.
            let gap = if n == 0 && self.gammas[0] == flow { NS / flow } else { 0.0 };
            let noise = Noise { service: NS / mu, gap, decay: spare / NS };
            *scope = ScopeSpec { wait_levels: levels, noise: Some(noise), ..scope.clone() };
        }
        watch.whole = Some(self.rates.len() as u8);
        watch.scopes.push(scope_for(&quantities, self.rates.len()));
        let arrivals: f64 = self.gammas.iter().sum();
        let experiment = Experiment { plan, watch, quantities, ..Experiment::default() };
        Ok(timed(experiment, (25.0 * memory).max(5_000.0), arrivals))
    }
}

/// `dispatch_comparison`: a queue for each server, at random or in turn, or one for all.
pub fn dispatch(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let (arrivals, service) = (row.given("lambda_")?, 1.0 / row.given("mu")?);
    let servers = count(row.params, "c", MOST_STATIONS)?;
    let mut all = Outcome::default();
    let ways =
        [("random", "random"), ("round_robin", "round-robin"), ("shared", "a queue for all")];
    for (turn, (key, split)) in ways.into_iter().enumerate() {
        let shared = key == "shared";
        let key_mean = if shared { "W_shared_queue".into() } else { format!("W_{key}_split") };
        let mut quantities = vec![quantity(key_mean.clone(), row.result(&key_mean)?, 0, SOJOURN)];
        let mut station = Station::poisson(arrivals, service, servers);
        if !shared {
            let (name, figure) = (format!("p99_{key}"), Figure::Sojourn { level: 3, share: 0.99 });
            let theory = row.result(&name)?;
            quantities.push(Quantity { name, theory, scope: 0, figure });
            station = Station::poisson(arrivals, service, 1);
            station.load /= servers as f64;
            station.memory = libm::pow(1.0 - station.load, -2.0);
            station.n_consumers = servers;
            station.producer.push(("split", split.to_owned()));
        }
        let outcome = run(&station.experiment(quantities)?, seed ^ (turn as u64 + 1) << 24)?;
        all.estimates.extend(outcome.estimates);
        all.objections.extend(outcome.objections);
        all.n_messages += outcome.n_messages;
    }
    Ok(Answer::Measured(all))
}

/// `batch_arrivals_mm1`: several messages at once.
pub fn batches(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let size = count(row.params, "mean_size", 10_000)?;
    let arrivals = row.given("batch_rate")? * size as f64;
    let law = match row.word("batch")? {
        law @ ("fixed" | "geometric") => law.to_owned(),
        _ => return Ok(Answer::NotCovered("no such law of batch sizes")),
    };
    let mut station = Station::poisson(arrivals, 1.0 / row.given("mu")?, 1);
    station.producer.push(("burst", size.to_string()));
    station.producer.push(("burst-law", law));
    station.memory *= size as f64;
    station.free_gaps = false;
    run(&station.experiment(steady(row, 1))?, seed).map(Answer::Measured)
}

/// What `simulated_T` of a record is itself off by.
const NEAR: f64 = 0.05;

/// `fork_join`: a copy to each of several stations; done when all copies are.
pub fn fork_join(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let (arrivals, service) = (row.given("lambda_")?, 1.0 / row.given("mu")?);
    let n = count(row.params, "n", MOST_STATIONS)?;
    let mut draft = Draft::default();
    let producer = [("rate", rate(arrivals)), ("split", "copy".to_owned())];
    draft.actor("producer", "producer", &producer);
    draft.group("station", "consumer", n, &work(service, "exponential", 1.0));
    let mut join = work(0.0, "constant", 0.0);
    join.push(("join", n.to_string()));
    draft.actor("join", "consumer", &join);
    draft.channel("producer", "station", 0.0);
    draft.channel("station", "join", 0.0);
    let plan = draft.plan()?;
    let watch = WatchSpec { whole: Some(0), ..watch_over(&plan, &["whole"]) };
    // Two stations have an exact solution, more an approximation with a simulated value beside it.
    let (name, figure) = match n {
        0..=2 => ("T", Figure::Mean(SOJOURN, 1.0)),
        _ => ("simulated_T", Figure::Near(SOJOURN, NEAR)),
    };
    let theory = row.result(name)?;
    let mut quantities = vec![Quantity { name: name.to_owned(), theory, scope: 0, figure }];
    if 2 < n {
        let (theory, figure) = (row.result("T")?, Figure::Near(SOJOURN, NEAR));
        quantities.push(Quantity { name: "T".to_owned(), theory, scope: 0, figure });
    }
    let experiment = Experiment { plan, watch, quantities, ..Experiment::default() };
    let memory = libm::pow(1.0 - arrivals * service, -2.0);
    let experiment = timed(experiment, (25.0 * memory).max(5_000.0), arrivals);
    let mut outcome = run(&experiment, seed)?;
    let bounds = (row.result("lower_bound_no_queue")?, row.result("upper_bound_independent")?);
    for (quantity, Estimate { value, half, .. }) in &outcome.estimates {
        if value + half < bounds.0 || bounds.1 < value - half {
            let said = format!("{}: {value:.6} is not between {bounds:?}", quantity.name);
            outcome.objections.push(said);
        }
    }
    Ok(Answer::Measured(outcome))
}

/// `closed_mm1`: clients that think, ask, and wait for the answer.
pub fn closed(row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let clients = count(row.params, "N", 10_000)?;
    let (think, service) = (row.given("think")?, row.given("service")?);
    let mut draft = Draft::default();
    let requester = [
        ("clients", clients.to_string()),
        ("think", span(think)),
        ("timeout", "3600s".to_owned()),
        ("retries", "0".to_owned()),
    ];
    draft.actor("clients", "requester", &requester);
    draft.actor("server", "responder", &work(service, "exponential", 1.0));
    draft.channel("clients", "server", 0.0);
    let plan = draft.plan()?;
    let watch = watch_over(&plan, &["server"]);
    let mut quantities = vec![
        quantity("throughput", row.result("throughput")?, 0, LEFT),
        quantity("response", row.result("response")?, 0, SOJOURN),
        quantity("queue", row.result("queue")?, 0, IN_SYSTEM),
    ];
    quantities.push(quantity("utilisation", row.result("utilisation")?, 0, AT_WORK));
    let experiment = Experiment { plan, watch, quantities, ..Experiment::default() };
    let arrivals = row.result("throughput")?;
    if arrivals <= 0.0 {
        return Err("`throughput` is not above 0".to_owned());
    }
    let batch = 5_000.0_f64.max(100.0 * clients as f64);
    run(&timed(experiment, batch, arrivals), seed).map(Answer::Measured)
}
