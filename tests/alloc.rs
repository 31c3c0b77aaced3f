//! After its warm-up the kernel allocates nothing, and the models it is measured with are right.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

#[path = "../benches/models/mod.rs"]
mod models;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use models::{CASES, make};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    let before = CALLS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(CALLS.get() - before, 1);
}

#[test]
fn a_warm_kernel_allocates_nothing() {
    for case in CASES {
        let mut model = make(case);
        // When a high digit of the time changes, a bucket may be larger than all before.
        model.run(2_000_000);
        let before = CALLS.get();
        model.run(1_000_000);
        assert_eq!(CALLS.get() - before, 0, "{case:?}");
    }
}

#[test]
fn the_models_agree_with_theory() {
    for case in CASES {
        let mut model = make(case);
        model.run(3_000_000);
        if let Some((simulated, exact)) = model.theory() {
            assert!((simulated / exact - 1.0).abs() < 0.06, "{case:?}: {simulated} for {exact}");
        }
    }
}
