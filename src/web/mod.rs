//! The page: what paints and handles.

use wasm_bindgen::prelude::wasm_bindgen;

/// Replaces the waiting paragraph by the page. Called once by `static/boot.js`.
#[wasm_bindgen]
pub fn mount() {
    let Some(document) = web_sys::window().and_then(|w| w.document()) else { return };
    if let Some(root) = document.document_element() {
        let _ = root.set_attribute("data-idle", "");
    }
}
