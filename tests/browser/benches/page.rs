//! What the built page costs in headless Chromium: first load, frames, seeks.
//!
//! `cargo xtask bench --page` builds the page, starts its server and ChromeDriver, and runs this.
//! Script time is that of the animation frame's callbacks: simulation and painting together.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "../src/harness.rs"]
mod harness;

use harness::{Page, Screen, visit};
use inflight::kernel::SimTime;
use inflight::world::link::{Link, Source};
use serde_json::{Value, json};

/// Runs before the page's own scripts: times each frame's callbacks, and the idle mark.
const METER: &str = "
  const meter = { script: [], stamps: [], idle: null };
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (call) => ask((stamp) => {
    const before = performance.now();
    call(stamp);
    meter.script.push(performance.now() - before);
    meter.stamps.push(stamp);
  });
  new MutationObserver((_, observer) => {
    if (document.documentElement?.hasAttribute('data-idle')) {
      meter.idle = performance.now();
      observer.disconnect();
    }
  }).observe(document, { attributes: true, subtree: true, childList: true });
  window.meter = meter;
";

/// A thousand messages a second on a path of ten seconds: 10 000 dots at once, none aggregated.
const DOTS: &str = "#v1/first-message?producer.rate=1000/s&path.delay=10s&consumer.service=100us\
                    &until=60s&t=14s";
/// The most that a log broker's picture has to bear: 64 partitions, 32 consumers, 8 groups.
const CROWD: &str = include_str!("crowd.toml");
/// A run of a million events.
const LONG: &str = "#v1/competing-consumers?until=93min&t=93min";

/// The crowd after ten seconds.
fn crowd() -> String {
    let shown = Some(SimTime::from_ns(10_000_000_000));
    Link { shown, ..Link::to(Source::Document(CROWD.to_owned())) }.write()
}

async fn metered(page: &Page, address: &str) {
    let source = json!({ "source": METER });
    page.devtools("Page.addScriptToEvaluateOnNewDocument", source).await;
    page.open(address).await;
}

fn numbers(value: &Value) -> Vec<f64> {
    let mut all: Vec<f64> = value.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn at(all: &[f64], percent: usize) -> f64 {
    all.get(all.len() * percent / 100).or(all.last()).copied().unwrap_or(f64::NAN)
}

fn first_load() {
    let mut idle = Vec::new();
    let mut bytes = 0.0;
    for _ in 0..5 {
        visit(Screen::Desktop, async |page| {
            metered(page, "#v1/first-message").await;
            idle.push(page.eval("meter.idle").await.as_f64().unwrap());
            let all = "[...performance.getEntriesByType('resource'), \
                       ...performance.getEntriesByType('navigation')]\
                       .reduce((sum, e) => sum + e.transferSize, 0)";
            bytes = page.eval(all).await.as_f64().unwrap();
        });
    }
    idle.sort_by(f64::total_cmp);
    println!("| first load: interactive after, ms | {:.0} | {:.0} |", at(&idle, 50), at(&idle, 95));
    println!("| first load: kB over the network | {:.0} | |", bytes / 1e3);
}

fn frames(what: &str, address: &str) {
    visit(Screen::Desktop, async |page| {
        metered(page, address).await;
        page.press(" ").await;
        page.wait_until("60 < meter.script.length").await;
        page.eval("(meter.script.length = 0, meter.stamps.length = 0)").await;
        page.wait_until("300 < meter.script.length").await;
        let script = numbers(&page.eval("meter.script").await);
        let spans = "meter.stamps.slice(1).map((s, n) => s - meter.stamps[n])";
        let spans = numbers(&page.eval(spans).await);
        let mean = spans.iter().sum::<f64>() / spans.len() as f64;
        let (mid, late) = (at(&script, 50), at(&script, 95));
        println!("| {what}: script a frame, ms | {mid:.1} | {late:.1} |");
        println!("| {what}: frames a second | {:.1} | |", 1e3 / mean);
    });
}

fn seeks() {
    visit(Screen::Desktop, async |page| {
        metered(page, LONG).await;
        let drag = "(async () => { const all = []; let x = 12345;
          const scrubber = document.querySelector('input[data-scrub]');
          for (let n = 0; n < 100; n++) {
            x = (x * 1103515245 + 12345) % 2147483648;
            const share = x / 2147483648;
            meter.script.length = 0;
            scrubber.value = Math.round(Number(scrubber.max) * share);
            scrubber.dispatchEvent(new Event('input', { bubbles: true }));
            while (meter.script.length < 1) await new Promise(r => setTimeout(r, 5));
            all.push(Math.max(...meter.script));
          } return all; })()";
        let all = numbers(&page.eval_async(drag).await);
        let (mid, late) = (at(&all, 50), at(&all, 95));
        println!("| a seek anywhere in a long run, ms | {mid:.1} | {late:.1} |");
    });
}

fn main() {
    println!("| page | median | 95th |");
    println!("|---|--:|--:|");
    first_load();
    frames("10 000 moving messages", DOTS);
    frames("64 partitions, 32 consumers, 8 groups", &crowd());
    seeks();
}
