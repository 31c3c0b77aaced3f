use inflight::kernel::SimTime;
use inflight::model::fact::{Cause, Fact};
use inflight::world::scenario::Scenario;
use inflight::world::session::{Session, Watch};
use std::collections::BTreeMap;

#[test]
fn explore() {
    let Ok(path) = std::env::var("DOC") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let mut scenario = Scenario::parse(&text).unwrap_or_else(|p| panic!("{p:#?}"));
    for change in std::env::var("SET").unwrap_or_default().split('|').filter(|c| !c.is_empty()) {
        let (path, value) = change.split_once('=').unwrap();
        scenario.set(path, value).unwrap_or_else(|p| panic!("{p}"));
    }
    let until = scenario.until;
    let mut session = Session::new(scenario.clone(), Watch::All);
    session.seek(until);
    println!("stopped {:?}", session.stopped());
    let mut all: Vec<(SimTime, Fact)> = Vec::new();
    session.retell(&mut |at, fact| {
        all.push((at, *fact));
        true
    });
    let us = |t: SimTime| t.ns() as f64 / 1e3;
    if std::env::var("FACTS").is_ok() {
        for (at, fact) in all.iter().take(400) {
            println!("{:>12.3} {fact:?}", us(*at));
        }
    }
    for (n, actor) in scenario.actors.iter().enumerate() {
        let done: Vec<f64> = all
            .iter()
            .filter_map(|(at, f)| match f {
                Fact::Done { at: who, .. } if who.0 as usize == n => Some(us(*at)),
                _ => None,
            })
            .collect();
        let sent: Vec<f64> = all
            .iter()
            .filter_map(|(at, f)| match f {
                Fact::Sent { by, .. } if by.0 as usize == n => Some(us(*at)),
                _ => None,
            })
            .collect();
        let lat: Vec<f64> = done
            .iter()
            .map(|d| d - sent.iter().filter(|s| *s < d).last().copied().unwrap_or(0.0))
            .collect();
        println!(
            "{}: sent {} done {} last {:?} since last sent {:?}",
            actor.id,
            sent.len(),
            done.len(),
            done.last(),
            &lat[..lat.len().min(50)]
        );
    }
    let mut segs: BTreeMap<(u16, bool), (u32, u32, Vec<u32>, f64)> = BTreeMap::new();
    for (at, f) in &all {
        if let Fact::SegmentDeparted { channel, back, again, len, .. } = f {
            let e = segs.entry((channel.0, *back)).or_default();
            if *len > 0 {
                e.0 += 1;
                e.2.push(*len);
                e.3 = us(*at);
            }
            if *again {
                e.1 += 1;
                println!("  again ch{} back {back} at {}", channel.0, us(*at));
            }
        }
        if let Fact::FrameDropped { .. } | Fact::SegmentLost { .. } = f {
            println!("  {} {f:?}", us(*at));
        }
    }
    for ((c, back), (n, again, lens, last)) in segs {
        println!(
            "ch{c} back={back}: data {n} again {again} last data at {last} lens {:?}",
            &lens[..lens.len().min(40)]
        );
    }
    for (n, host) in session.world().ground.hosts.iter().enumerate() {
        if let Some(node) = &host.board {
            let s = node.snapshot(session.world().now());
            println!(
                "host {n} {}: {:?} heap {:?} load {}ppm {:?}",
                scenario.hosts[n].id,
                s.counters,
                s.heap_usage,
                s.load_ppm(),
                s.load
            );
        }
    }
    let seen = session.seen();
    let ledger = &seen.ledger;
    println!("sent {} delivered {} lost {}", ledger.sent, ledger.delivered, ledger.lost);
    for c in Cause::ALL {
        let m = seen.budget.mean(c).as_ns();
        if m > 0 {
            println!("  {:<20} {m} ns", c.key());
        }
    }
}
