//! One station in its steady state: M/M/1, M/M/c, M/M/c/K, M/D/1, M/G/1, G/M/1.

use serde_json::Value;

use super::Answer;
use super::rows::{Row, Station, count, number, steady, work};
use super::runs::run;
use super::worlds::{ppm, rate, span};

/// Most servers of a row.
const MOST_SERVERS: u64 = 1_000;

/// Measures a row of one of these tables.
pub fn measure(table: &str, row: Row<'_>, seed: u64) -> Result<Answer, String> {
    let arrivals = row.given("lambda_")?;
    let mut servers = 1;
    let station = match table {
        "mm1" => Station::poisson(arrivals, 1.0 / row.given("mu")?, 1),
        "mmc" => {
            servers = count(row.params, "c", MOST_SERVERS)?;
            Station::poisson(arrivals, 1.0 / row.given("mu")?, servers)
        }
        "mmck" => {
            servers = count(row.params, "c", MOST_SERVERS)?;
            bounded(row, arrivals, servers)?
        }
        "md1" => with_work(arrivals, row.given("D")?, "constant", 0.0),
        "mg1" => match any_work(row, arrivals)? {
            Some(station) => station,
            None => return Ok(Answer::NotCovered("no work has that law")),
        },
        _ => any_gaps(row, arrivals)?,
    };
    run(&station.experiment(steady(row, servers))?, seed).map(Answer::Measured)
}

/// M/M/c/K: what finds K in system is dropped.
fn bounded(row: Row<'_>, arrivals: f64, servers: u64) -> Result<Station, String> {
    let places = count(row.params, "K", 1_000_000)?;
    let waiting = places.checked_sub(servers).ok_or("`K` is less than `c`")?;
    let mut station = Station::poisson(arrivals, 1.0 / row.given("mu")?, servers);
    station.consumer.push(("buffer", waiting.to_string()));
    station.consumer.push(("when-full", "drop".to_owned()));
    station.memory = station.memory.min((places * places) as f64 / 5.0 + 10.0);
    // Whether a message is taken depends on the gap before it: gaps of those taken are no free
    // draws.
    station.free_gaps = false;
    Ok(station)
}

fn with_work(arrivals: f64, mean: f64, spread: &str, cv: f64) -> Station {
    Station { consumer: work(mean, spread, cv), ..Station::poisson(arrivals, mean, 1) }
}

/// M/G/1, if there is a spread of that law.
fn any_work(row: Row<'_>, arrivals: f64) -> Result<Option<Station>, String> {
    let service = row.params.get("service").ok_or("`service` is missing")?;
    let kind = service.get("kind").and_then(Value::as_str).ok_or("`service.kind` is missing")?;
    let (mean, spread, cv) = match kind {
        "deterministic" => (number(service, "mean")?, "constant", 0.0),
        "exponential" => (number(service, "mean")?, "exponential", 1.0),
        "erlang" => (number(service, "mean")?, "erlang", number(service, "k")?.sqrt().recip()),
        "hyper2" => (number(service, "mean")?, "hyper-exponential", number(service, "cv2")?.sqrt()),
        "lognormal" => (number(service, "mean")?, "log-normal", number(service, "cv2")?.sqrt()),
        "uniform" => {
            let (a, b) = (number(service, "a")?, number(service, "b")?);
            ((a + b) / 2.0, "uniform", (b - a) / (a + b) / 3.0_f64.sqrt())
        }
        "two_point" => return two_values(service, arrivals).map(Some),
        _ => return Ok(None),
    };
    let mut station = with_work(arrivals, mean, spread, cv);
    // The more work varies, the longer the queue remembers.
    station.memory *= (1.0 + cv * cv) / 2.0;
    Ok(Some(station))
}

/// Work that takes one of two values.
fn two_values(service: &Value, arrivals: f64) -> Result<Station, String> {
    let of = |key| number(service, key);
    let (often, rarely, share) = (of("x")?, of("y")?, 1.0 - of("p_x")?);
    let mean = often * (1.0 - share) + rarely * share;
    let square = often * often * (1.0 - share) + rarely * rarely * share;
    let mut station = with_work(arrivals, mean, "constant", 0.0);
    station.consumer = work(often, "constant", 0.0);
    station.consumer.push(("rare-share", ppm(share)));
    station.consumer.push(("rare-service", span(rarely)));
    station.memory *= square / (2.0 * mean * mean);
    Ok(station)
}

/// G/M/1.
fn any_gaps(row: Row<'_>, arrivals: f64) -> Result<Station, String> {
    let (law, cv) = match row.word("arrival")? {
        "D" => ("constant", 0.0),
        "E" => ("erlang", row.given("k")?.sqrt().recip()),
        "H2" => ("hyper-exponential", row.given("cv2")?.sqrt()),
        "M" => ("exponential", 1.0),
        other => return Err(format!("`arrival` is `{other}`, allowed: D, E, H2, M")),
    };
    let producer = vec![
        ("rate", rate(arrivals)),
        ("arrivals", "renewal".to_owned()),
        ("gaps", law.to_owned()),
        ("gap-variation", ppm(cv)),
    ];
    let station = Station::poisson(arrivals, 1.0 / row.given("mu")?, 1);
    Ok(Station { producer, ..station })
}
