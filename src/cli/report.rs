//! The summary of a run in words, for people.

use crate::cli::out::{plain, table};
use crate::cli::run::Outcome;
use crate::kernel::SimSpan;
use crate::model::fact::Cause;
use crate::observe::{Book, Guarantee, Histogram, Ledger, Verdict};
use crate::param::{Lang, Text};
use crate::view::{everywhere, numbers};

/// Percentiles of every summary: name, and millionths.
pub const QUANTILES: [(&str, u32); 5] =
    [("p50", 500_000), ("p90", 900_000), ("p95", 950_000), ("p99", 990_000), ("p99.9", 999_000)];

const LATENCY: Text = Text::new("Latency of delivered messages", "已送达消息的延迟");
const LEDGER: Text = Text::new("Ledger", "账目");
const EFFECT: Text = Text::new("Account book, in coins", "账本（单位：枚）");
const PROMISES: Text = Text::new("Promises", "承诺");
const BUDGET: Text = Text::new("Where their time went", "时间去向");
const RUN: Text = Text::new("Run", "运行");

/// The whole summary.
pub fn report(outcome: &Outcome, lang: Lang) -> String {
    let session = &outcome.session;
    let seen = session.seen();
    let mut text = heading(outcome, lang);
    text += &format!("\n{}\n{}", LATENCY.get(lang), latency(&seen.latency, lang));
    text += &format!("\n{}\n{}", LEDGER.get(lang), ledger(&seen.ledger, lang));
    text += &format!("\n{}\n{}", EFFECT.get(lang), effect(&seen.guarantees.book, lang));
    if !session.scenario().promises.is_empty() {
        text += &format!("\n{}\n{}", PROMISES.get(lang), promises(outcome, lang));
    }
    text += &format!("\n{}\n{}", BUDGET.get(lang), budget(outcome, lang));
    text += &format!("\n{}\n{}", RUN.get(lang), run(outcome, lang));
    text
}

fn heading(outcome: &Outcome, lang: Lang) -> String {
    let session = &outcome.session;
    let scenario = session.scenario();
    let (title, id) = (plain(scenario.title.get(lang)), &scenario.id);
    let now = numbers::instant(outcome.reached());
    let until = numbers::instant(session.until());
    let seed = scenario.seed;
    let place = match lang {
        Lang::En => format!("at {now} of {until}, seed {seed}"),
        Lang::Zh => format!("{now} / {until}，种子 {seed}"),
    };
    format!("{title} ({id})\n{place}\n")
}

fn latency(histogram: &Histogram, lang: Lang) -> String {
    let span = |ns: u64| numbers::span(SimSpan::ns(ns));
    let Some(mean) = histogram.mean() else {
        return format!("  {}\n", Text::new("none was delivered", "没有消息送达").get(lang));
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (name, ppm) in QUANTILES {
        let value = histogram.quantile(ppm).unwrap_or(0);
        rows.push(vec![name.to_owned(), span(value)]);
    }
    rows.push(vec![Text::new("max", "最大").get(lang).to_owned(), span(histogram.max())]);
    rows.push(vec![Text::new("mean", "平均").get(lang).to_owned(), span(mean)]);
    table(&rows, 2)
}

/// The ledger's lines: key, name, count.
pub fn ledger_lines(ledger: &Ledger) -> [(&'static str, Text, u64); 7] {
    [
        ("sent", Text::new("sent", "已发送"), ledger.sent),
        ("delivered", Text::new("delivered", "已送达"), ledger.delivered),
        ("lost", Text::new("lost", "已丢失"), ledger.lost),
        ("in-flight", Text::new("in flight", "在途"), ledger.in_flight()),
        ("duplicated", Text::new("duplicated", "重复处理"), ledger.duplicated),
        ("redelivered", Text::new("redelivered", "重新投递"), ledger.redelivered),
        ("reordered", Text::new("reordered", "乱序"), ledger.reordered),
    ]
}

fn ledger(ledger: &Ledger, lang: Lang) -> String {
    let lines = ledger_lines(ledger);
    let row = |(_, name, n): &(_, Text, u64)| vec![name.get(lang).to_owned(), numbers::count(*n)];
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    let [(_, sent, _), (_, delivered, _), (_, lost, _), (_, in_flight, _), ..] = lines;
    let (sent, delivered) = (sent.get(lang), delivered.get(lang));
    let (lost, in_flight) = (lost.get(lang), in_flight.get(lang));
    table(&rows, 2)
        + &format!("  {sent} = {delivered} + {lost} + {in_flight}\n")
        + &listed(ledger, lang)
}

/// Most messages of one kind that the summary names.
const NAMED: usize = 12;

/// The newest messages of each kind, with how many there are besides.
fn listed(ledger: &Ledger, lang: Lang) -> String {
    let lists = [
        (Text::new("lost", "丢失"), &ledger.newest_lost, ledger.lost),
        (Text::new("duplicated", "重复"), &ledger.newest_duplicated, ledger.duplicated),
        (Text::new("reordered", "乱序"), &ledger.newest_reordered, ledger.reordered),
    ];
    let mut text = String::new();
    for (name, list, count) in lists.into_iter().filter(|(_, _, count)| *count != 0) {
        let from = list.len().saturating_sub(NAMED);
        let ids: Vec<String> = list.range(from..).map(|entry| entry.msg.0.to_string()).collect();
        let ids = ids.join(", ");
        let before = count - (list.len() - from) as u64;
        let name = name.get(lang);
        text += &match (before, lang) {
            (0, Lang::En) => format!("  {name}: {ids}\n"),
            (0, Lang::Zh) => format!("  {name}：{ids}\n"),
            (_, Lang::En) => format!("  {name}: {ids}; before them: {}\n", numbers::count(before)),
            (_, Lang::Zh) => format!("  {name}：{ids}；此前还有 {} 条\n", numbers::count(before)),
        };
    }
    text
}

/// What the balance should be, what it is, and why it is not.
pub fn book_lines(book: &Book) -> [(&'static str, Text, u64); 5] {
    [
        ("expected", Text::new("expected", "应有"), book.expected),
        ("actual", Text::new("actual", "实有"), book.actual),
        ("lost", Text::new("lost", "丢失"), book.lost),
        ("under-way", Text::new("under way", "在途"), book.under_way()),
        ("twice", Text::new("credited again", "重复记账"), book.twice),
    ]
}

fn effect(book: &Book, lang: Lang) -> String {
    let row = |(_, name, n): (_, Text, u64)| vec![name.get(lang).to_owned(), numbers::count(n)];
    let rows: Vec<Vec<String>> = book_lines(book).map(row).to_vec();
    table(&rows, 2)
}

fn promises(outcome: &Outcome, lang: Lang) -> String {
    let row = |(promise, verdict): (Guarantee, Verdict)| {
        vec![promise.text().get(lang).to_owned(), everywhere::verdict(&verdict, lang)]
    };
    let rows: Vec<Vec<String>> = outcome.promises().into_iter().map(row).collect();
    table(&rows, 2)
}

fn budget(outcome: &Outcome, lang: Lang) -> String {
    let budget = &outcome.session.seen().budget;
    let heads = [
        Text::new("cause", "原因"),
        Text::new("mean", "平均"),
        Text::new("share", "占比"),
        Text::new("sum", "总和"),
    ];
    let mut rows = vec![heads.map(|head| head.get(lang).to_owned()).to_vec()];
    for cause in Cause::ALL {
        let sum = budget.by_cause[cause.index()];
        if sum != 0 {
            let name = cause.text().get(lang).to_owned();
            let share = numbers::percent(share_ppm(sum, budget.total()) / 1_000 * 1_000);
            rows.push(vec![name, numbers::span(budget.mean(cause)), share, long_span(sum)]);
        }
    }
    let whole = Text::new("whole latency", "总延迟").get(lang).to_owned();
    let mean = outcome.session.seen().latency.mean().unwrap_or(0);
    let mean = numbers::span(SimSpan::ns(mean));
    rows.push(vec![whole, mean, numbers::percent(1_000_000), long_span(budget.total())]);
    if budget.count == 0 { String::from("  –\n") } else { table(&rows, 2) }
}

/// Millionths of the whole, rounded down.
pub fn share_ppm(part: u128, whole: u128) -> u64 {
    u64::try_from(part * 1_000_000 / whole.max(1)).unwrap_or(0)
}

/// A sum of spans that may exceed what a span holds.
fn long_span(ns: u128) -> String {
    numbers::span(SimSpan::ns(u64::try_from(ns).unwrap_or(u64::MAX)))
}

fn run(outcome: &Outcome, lang: Lang) -> String {
    let session = &outcome.session;
    let row = |name: Text, value: String| (name.get(lang), value);
    let per_second = numbers::count(outcome.events_per_second());
    let wall = format!("{:.3} s", outcome.wall.as_secs_f64());
    let speed = match lang {
        Lang::En => format!("{per_second} events per second of this machine ({wall})"),
        Lang::Zh => format!("本机每秒 {per_second} 个事件（{wall}）"),
    };
    let facts = session.world().ground.facts.count();
    let mut rows = vec![
        row(Text::new("events", "事件"), numbers::count(session.events())),
        row(Text::new("facts", "事实"), numbers::count(facts)),
        row(Text::new("speed", "速度"), speed),
        row(Text::new("fingerprint", "指纹"), format!("{:016x}", session.fingerprint())),
    ];
    if let Some(check) = &outcome.check {
        rows.push(row(Text::new("of the link", "链接中的指纹"), check.say(lang)));
    }
    rows.push(row(Text::new("link", "链接"), outcome.link.clone()));
    let width = rows.iter().map(|(name, _)| super::out::columns(name)).max().unwrap_or(0);
    let line =
        |(name, value): &(&str, String)| format!("  {}  {value}\n", super::out::left(name, width));
    rows.iter().map(line).collect()
}
