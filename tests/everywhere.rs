//! *Crash everywhere* against the guarantee matrix, and against itself.

use inflight::model::guarantee::{AckPoint, DedupeKey, Fault, Setting, Verdict, run};
use inflight::model::message::ActorId;
use inflight::observe::Guarantee;
use inflight::world::everywhere::{Everywhere, Options, Report, What};
use inflight::world::preset;
use inflight::world::scenario::Scenario;

/// One message at 100 ms: stored at 101, worked on from 102 to 112, acknowledged at 117.
fn small(setting: Setting, faults: &str) -> Scenario {
    let retries = if setting.retries { "unlimited" } else { "0" };
    let ack = match setting.ack {
        AckPoint::OnDelivery => "on-delivery",
        AckPoint::AfterWork => "after-work",
    };
    let dedupe = match setting.dedupe {
        DedupeKey::None => "none",
        DedupeKey::BrokerId => "broker-id",
        DedupeKey::ProducerId => "producer-id",
    };
    let durable = setting.durable;
    let document = format!(
        r#"format = 1
until = "2s"
[[actor]]
id = "producer"
kind = "producer"
arrivals = "constant"
rate = "10/s"
limit = 1
confirm = true
confirm-timeout = "60ms"
retries = "{retries}"
[[actor]]
id = "broker"
kind = "broker"
durable = {durable}
ack-timeout = "80ms"
[[actor]]
id = "consumer"
kind = "consumer"
service = "10ms"
spread = "constant"
ack = "{ack}"
ack-delay = "5ms"
dedupe = "{dedupe}"
[[channel]]
id = "path"
from = "producer"
to = "broker"
delay = "1ms"
[[channel]]
id = "delivery"
from = "broker"
to = "consumer"
delay = "1ms"
{faults}"#
    );
    Scenario::parse(&document).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn everywhere(scenario: &Scenario) -> Report {
    let options = Options { restart: inflight::kernel::SimSpan::ms(20), ..Options::default() };
    let mut all = Everywhere::new(scenario, &[], options);
    while !all.step(1_000) {}
    all.into_report()
}

/// Whether a row has runs that lose the message, and runs that do it twice.
fn found(report: &Report, what: What) -> (bool, bool) {
    let row = report.rows.iter().find(|row| row.what == what);
    let n = |guarantee: Guarantee| row.map_or(0, |row| row.broken[guarantee.index()]);
    (0 < n(Guarantee::NothingLost), 0 < n(Guarantee::NothingTwice))
}

/// What the matrix says of these faults together.
fn expected(setting: Setting, faults: &[Fault]) -> (bool, bool) {
    let verdicts = || faults.iter().map(|fault| run(setting, *fault).verdict());
    (verdicts().any(|v| v == Verdict::Lost), verdicts().any(|v| v == Verdict::Duplicate))
}

const BROKER: What = What::Crash(ActorId(1));
const CONSUMER: What = What::Crash(ActorId(2));

#[test]
fn crash_everywhere_finds_what_the_matrix_says_in_every_setting() {
    use Fault::{
        BrokerAckLost, ConsumerAckLost, CrashAfterWork, CrashBeforeWork, RequestLost,
        RestartBeforeDelivery, RestartWhileUnacked,
    };
    // The consumer is away when the message comes, so it waits in the queue for a while.
    let away = "[[fault]]\nat = \"50ms\"\ndo = \"crash\"\nactor = \"consumer\"\nfor = \"100ms\"\n";
    let mut n = 0;
    for setting in Setting::all() {
        let report = everywhere(&small(setting, ""));
        assert_eq!(report.every, 1);
        let rows: [(What, &[Fault]); 5] = [
            (What::Request, &[RequestLost]),
            (What::Reply, &[BrokerAckLost]),
            (What::Acknowledgement, &[ConsumerAckLost]),
            (CONSUMER, &[CrashBeforeWork, CrashAfterWork]),
            // A request that is on its way to a broker that dies is lost.
            (BROKER, &[RequestLost, RestartWhileUnacked]),
        ];
        for (what, faults) in rows {
            assert_eq!(found(&report, what), expected(setting, faults), "{setting:?} {what:?}");
            n += 1;
        }
        // A delivery that is lost is one to a consumer that never began.
        let lost = expected(setting, &[CrashBeforeWork]);
        assert_eq!(found(&report, What::Delivery), lost, "{setting:?}");
        let report = everywhere(&small(setting, away));
        let faults = [RequestLost, RestartBeforeDelivery, RestartWhileUnacked];
        assert_eq!(found(&report, BROKER), expected(setting, &faults), "{setting:?}");
    }
    assert_eq!(n, 24 * 5);
}

#[test]
fn a_broker_that_takes_the_consumer_for_dead_delivers_again() {
    // It stands still after the effect, for longer than the broker waits.
    let still =
        "[[fault]]\nat = \"113ms\"\ndo = \"pause\"\nactor = \"consumer\"\nfor = \"200ms\"\n";
    for setting in Setting::all() {
        let report = everywhere(&small(setting, still));
        let base = |guarantee: Guarantee| report.base[guarantee.index()].is_broken();
        let found = (base(Guarantee::NothingLost), base(Guarantee::NothingTwice));
        assert_eq!(found, expected(setting, &[Fault::RedeliveryAfterTimeout]), "{setting:?}");
    }
}

#[test]
fn shares_together_are_the_whole_whatever_the_steps() {
    let mut scenario = preset::find("at-least-once-duplicate").expect("a preset").open();
    scenario.set("producer.limit", "12").expect("a limit");
    let mut whole = Everywhere::new(&scenario, &[], Options::default());
    while !whole.step(u64::MAX) {}
    let mut sum: Option<Report> = None;
    for part in 0..3 {
        let mut share = Everywhere::share(&scenario, &[], Options::default(), (part, 3));
        while !share.step(7) {}
        assert_eq!(share.progress().done, share.progress().total);
        match &mut sum {
            Some(sum) => sum.merge(share.report()),
            None => sum = Some(share.into_report()),
        }
    }
    assert_eq!(sum.as_ref(), Some(whole.report()));
}

#[test]
fn a_large_scenario_is_harmed_at_every_so_manieth_instant_and_says_so() {
    let scenario = preset::find("at-most-once").expect("a preset").open();
    let options = Options { most_events: 200_000, ..Options::default() };
    let mut all = Everywhere::new(&scenario, &[], options);
    let mut n_steps = 0;
    while !all.step(10_000) {
        n_steps += 1;
        assert!(n_steps < 200, "about 200 000 events");
    }
    let report = all.into_report();
    assert!(1 < report.every);
    assert!(report.n_runs < report.n_moments * 3 && 0 < report.n_runs);
}

#[test]
fn a_scenario_of_any_kind_can_be_broken_everywhere() {
    for preset in preset::ALL {
        let scenario = preset.open();
        let options = Options { most_events: 30_000, ..Options::default() };
        let mut all = Everywhere::new(&scenario, &[], options);
        while !all.step(5_000) {}
        assert_eq!(all.progress().done, all.progress().total, "{}", preset.id);
    }
}
