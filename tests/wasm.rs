//! What must come out alike natively and in the browser's 32-bit wasm, bit by bit.
//!
//! The same functions run in both; the constants were computed natively and are part of what a
//! share link promises. Whole scenarios are compared through the built page (`tests/browser`).

use inflight::kernel::random::{Law, path_hash, sample};
use inflight::kernel::{Digest, EventQueue, SimSpan, SimTime, Streams};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test_configure!(run_in_browser);

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn every_law_draws_the_same_spans() {
    let expected: [(Law, u64); 7] = [
        (Law::Constant, 0xd976_e452_43ca_ce71),
        (Law::Exponential, 0x22f6_d161_1bc6_3318),
        (Law::Uniform, 0x1b17_5319_5e72_d846),
        (Law::LogNormal, 0x48ca_6f1c_72d7_b74e),
        (Law::Pareto, 0x4b18_4a9d_737c_af89),
        (Law::Erlang, 0xfd3d_6f29_35f8_04a3),
        (Law::HyperExponential, 0xca6d_966b_dbee_95c7),
    ];
    assert_eq!(expected.map(|(law, _)| law), Law::ALL);
    let drawn = Law::ALL.map(|law| {
        let mut stream = Streams::new(7).stream(path_hash("consumer-1"), law as u32);
        let mut digest = Digest::default();
        for cv_ppm in [250_000, 500_000, 1_000_000, 3_000_000] {
            for _ in 0..5_000 {
                digest.absorb(sample(law, SimSpan::ms(20), cv_ppm, &mut stream).as_ns());
            }
        }
        (law, digest.value())
    });
    assert_eq!(drawn, expected);
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn events_run_in_the_same_order() {
    let mut stream = Streams::new(1).stream(path_hash("queue"), 0);
    let mut queue = EventQueue::new();
    for id in 0..20_000_u32 {
        // Many at the same instant, some far beyond 32 bits of nanoseconds.
        let shift = stream.below(5) * 10;
        queue.schedule(SimTime::from_ns(stream.below(1_000) << shift), id);
    }
    let mut digest = Digest::default();
    let mut n_handled = 0_u64;
    while let Some((now, id)) = queue.pop() {
        n_handled += 1;
        digest.absorb3(now.ns(), u64::from(id), queue.len());
        if n_handled < 50_000 && id % 2 == 0 {
            queue.schedule(now + SimSpan::ns(stream.below(1 << 33)), id + 1);
        }
    }
    assert_eq!((n_handled, digest.value()), (30_000, 0xb892_e127_63b9_80af));
}
