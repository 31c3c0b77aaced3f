use super::*;

const ZERO: SimSpan = SimSpan::ms(0);

/// A queue with three connections.
fn queue() -> (WorkQueue, [WorkerNo; 3]) {
    let mut queue = WorkQueue::new(JobId(1));
    let workers = [(); 3].map(|()| queue.connect().expect("there is room"));
    (queue, workers)
}

fn at(ms: u64) -> SimTime {
    SimTime::from_ns(ms * 1_000_000)
}

fn ask(queue: &mut WorkQueue, ms: u64, worker: WorkerNo, request: Request) -> Vec<Effect> {
    let mut out = Vec::new();
    queue.on_message(at(ms), worker, request, &mut out);
    out
}

fn put(priority: u32, delay_ms: u64, ttr_s: u64) -> Request {
    let (delay, ttr) = (SimSpan::ms(delay_ms), SimSpan::s(ttr_s));
    Request::Put { priority, delay, ttr, body: Body(7) }
}

const TRY: Request = Request::Reserve { timeout: Some(ZERO) };
const WAIT: Request = Request::Reserve { timeout: None };

fn reserved(worker: WorkerNo, id: u64) -> Vec<Effect> {
    vec![Effect { worker, answer: Answer::Reserved(JobId(id), Body(7)) }]
}

#[test]
fn who_waits_first_gets_the_next_job() {
    let (mut queue, [a, b, c]) = queue();
    assert!(ask(&mut queue, 0, a, WAIT).is_empty());
    assert!(ask(&mut queue, 0, b, WAIT).is_empty());
    let out = ask(&mut queue, 0, c, put(1, 0, 60));
    assert_eq!(out[0].answer, Answer::Inserted(JobId(1)));
    assert_eq!(out[1..], reserved(a, 1));
    assert_eq!(ask(&mut queue, 0, c, put(1, 0, 60))[1..], reserved(b, 2));
}

#[test]
fn a_job_whose_time_to_run_is_over_goes_to_the_next() {
    let (mut queue, [a, b, _]) = queue();
    ask(&mut queue, 0, a, put(1, 0, 2));
    assert_eq!(ask(&mut queue, 0, a, TRY), reserved(a, 1));
    ask(&mut queue, 0, b, WAIT);
    assert_eq!(queue.next_wake(), Some(at(2000)));
    let mut out = Vec::new();
    queue.on_wake(at(1999), &mut out);
    assert!(out.is_empty(), "an early wake does nothing");
    queue.on_wake(at(2000), &mut out);
    assert_eq!(out, reserved(b, 1));
    assert_eq!(ask(&mut queue, 2001, a, Request::Delete(JobId(1)))[0].answer, Answer::NotFound);
    assert_eq!(ask(&mut queue, 2001, b, Request::Delete(JobId(1)))[0].answer, Answer::Deleted);
}

#[test]
fn a_touch_begins_the_time_to_run_again() {
    let (mut queue, [a, b, _]) = queue();
    ask(&mut queue, 0, a, put(1, 0, 2));
    ask(&mut queue, 0, a, TRY);
    assert_eq!(ask(&mut queue, 1500, b, Request::Touch(JobId(1)))[0].answer, Answer::NotFound);
    assert_eq!(ask(&mut queue, 1500, a, Request::Touch(JobId(1)))[0].answer, Answer::Touched);
    assert_eq!(queue.next_wake(), Some(at(3500)));
}

#[test]
fn who_holds_a_job_is_told_one_second_before_its_end() {
    let (mut queue, [a, ..]) = queue();
    ask(&mut queue, 0, a, put(1, 0, 3));
    ask(&mut queue, 0, a, TRY);
    assert!(ask(&mut queue, 0, a, WAIT).is_empty());
    assert_eq!(queue.next_wake(), Some(at(2000)));
    let mut out = Vec::new();
    queue.on_wake(at(2000), &mut out);
    assert_eq!(out, [Effect { worker: a, answer: Answer::DeadlineSoon }]);
    assert_eq!(ask(&mut queue, 2500, a, TRY)[0].answer, Answer::DeadlineSoon);
}

#[test]
fn buried_jobs_are_kicked_before_delayed_ones() {
    let (mut queue, [a, ..]) = queue();
    ask(&mut queue, 0, a, put(1, 5000, 60));
    ask(&mut queue, 0, a, put(1, 0, 60));
    ask(&mut queue, 0, a, TRY);
    ask(&mut queue, 0, a, Request::Bury { job: JobId(2), priority: 3 });
    assert_eq!(queue.gauges(), Gauges { n_delayed: 1, n_buried: 1, ..Gauges::default() });
    assert_eq!(ask(&mut queue, 0, a, Request::Kick(10))[0].answer, Answer::Kicked(1));
    assert_eq!(ask(&mut queue, 0, a, TRY), reserved(a, 2));
    assert_eq!(ask(&mut queue, 0, a, Request::Kick(10))[0].answer, Answer::Kicked(1));
    assert_eq!(ask(&mut queue, 0, a, TRY), reserved(a, 1));
}

#[test]
fn a_lost_connection_gives_its_jobs_back_in_their_order() {
    let (mut queue, [a, b, _]) = queue();
    for _ in 0..3 {
        ask(&mut queue, 0, a, put(1, 0, 60));
    }
    ask(&mut queue, 0, a, TRY);
    ask(&mut queue, 0, a, TRY);
    let mut out = Vec::new();
    queue.disconnect(at(0), a, &mut out);
    assert!(out.is_empty());
    for id in 1..=3 {
        assert_eq!(ask(&mut queue, 0, b, TRY), reserved(b, id));
    }
}

#[test]
fn a_late_wake_gives_nothing_to_whose_wait_was_over() {
    let (mut queue, [a, b, _]) = queue();
    ask(&mut queue, 0, a, put(1, 700, 60));
    ask(&mut queue, 0, b, Request::Reserve { timeout: Some(SimSpan::ms(50)) });
    let mut out = Vec::new();
    queue.on_wake(at(800), &mut out);
    assert_eq!(out, [Effect { worker: b, answer: Answer::TimedOut }]);
    assert_eq!(queue.gauges().n_ready, 1);
}
