//! Every preset, in the page's own engine.

use crate::harness::{Page, Screen, visit};
use inflight::world::preset;
use inflight::world::session::{Session, Watch};
use serde_json::json;

/// Events between two looks at whether the native run is over.
const CHUNK: u64 = 1 << 20;

/// The fingerprint of a whole run by the page's wasm; an empty seed is the preset's own.
async fn fingerprint_in_wasm(page: &Page, id: &str, seed: &str) -> serde_json::Value {
    let glue = "import(document.querySelector('link[rel=modulepreload]').href)";
    page.eval_async(&format!("{glue}.then(m => m.fingerprint('{id}', '{seed}'))")).await
}

/// The same by this machine's own arithmetic.
fn fingerprint_natively(preset: &preset::Preset, seed: &str) -> String {
    let mut scenario = preset.open();
    if !seed.is_empty() {
        scenario.set("seed", seed).expect("a number is a seed");
    }
    let mut session = Session::new(scenario, Watch::Nothing);
    let until = session.until();
    while !session.advance(until, CHUNK) && session.stopped().is_none() {}
    format!("{:016x}", session.fingerprint())
}

#[test]
fn every_preset_has_the_same_fingerprint_in_wasm_as_natively() {
    visit(Screen::Desktop, async |page| {
        page.open("").await;
        for preset in preset::ALL {
            for seed in ["", "20261124"] {
                let in_wasm = fingerprint_in_wasm(page, preset.id, seed).await;
                let natively = fingerprint_natively(preset, seed);
                assert_eq!(in_wasm, json!(natively), "{} with seed {seed:?}", preset.id);
            }
        }
        page.assert_quiet().await;
    });
}

#[test]
fn every_preset_opens_and_plays_without_complaint() {
    visit(Screen::Desktop, async |page| {
        for preset in preset::ALL {
            page.open(&format!("#v1/{}", preset.id)).await;
            let title = page.text("h1").await;
            assert_eq!(title, preset.open().title.en, "{}", preset.id);
            let at_first = page.text(".clock b").await;
            page.click("button.play").await;
            let moved = format!("document.querySelector('.clock b').textContent !== '{at_first}'");
            page.wait_until(&moved).await;
            page.click("button.play").await;
            page.wait_idle().await;
            page.shot(&format!("preset-{}", preset.id)).await;
            page.assert_quiet().await;
        }
    });
}
