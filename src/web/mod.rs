//! The page: what paints and handles.

pub mod dom;
pub mod icons;
pub mod part;
pub mod raster;
pub mod shell;
pub mod speed;

use wasm_bindgen::prelude::wasm_bindgen;

/// Replaces the waiting paragraph by the page. Called once by `static/boot.js`.
#[wasm_bindgen]
pub fn mount() {
    dom::set_idle(true);
}
