//! The few things the page asks of the browser: everything that may throw stands here.
//!
//! In a sandboxed frame the mere look at storage throws, so every access answers an `Option`.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Document, Element, Event, EventTarget, HtmlElement, Storage, Window};

/// The window.
pub fn window() -> Window {
    web_sys::window().expect("the page runs in a window")
}

/// The document.
pub fn document() -> Document {
    window().document().expect("a window has a document")
}

/// The `<html>` element.
pub fn root() -> Element {
    document().document_element().expect("a document has a root")
}

/// Milliseconds since the page was opened, by the clock that frames carry.
pub fn wall_ms() -> f64 {
    window().performance().map_or(0.0, |p| p.now())
}

/// Sets a custom property: the only way the page places anything (inline styles are blocked).
pub fn css_var(element: &Element, name: &str, value: &str) {
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        // Setting a property through CSSOM fails only for a name that is none.
        let _ = element.style().set_property(name, value);
    }
}

/// A listener that is taken off when it is dropped.
pub struct Listener {
    target: EventTarget,
    kind: &'static str,
    call: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Listens to `kind` on `target`.
    pub fn new(
        target: &EventTarget,
        kind: &'static str,
        call: impl FnMut(Event) + 'static,
    ) -> Listener {
        let call = Closure::<dyn FnMut(Event)>::new(call);
        // Fails only for a listener that is no function.
        let _ = target.add_event_listener_with_callback(kind, call.as_ref().unchecked_ref());
        Listener { target: target.clone(), kind, call }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let call = self.call.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback(self.kind, call);
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// What is stored under `key`, where storage may be read.
pub fn stored(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// Stores `value`, where storage may be written.
pub fn store(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}

/// Whether a media query holds now.
pub fn matches(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Calls back whenever a media query begins or ceases to hold.
pub fn on_media(query: &str, mut call: impl FnMut(bool) + 'static) -> Option<Listener> {
    let list = window().match_media(query).ok().flatten()?;
    let asked = list.clone();
    Some(Listener::new(&list, "change", move |_| call(asked.matches())))
}

/// The parameters of the address (`?embed=1&lang=zh`), decoded.
pub fn search_params() -> Vec<(String, String)> {
    let search = window().location().search().unwrap_or_default();
    let pairs = search.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
    let plain = |part: &str| {
        let part = part.replace('+', " ");
        js_sys::decode_uri_component(&part).map_or(part, String::from)
    };
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "1"));
            (plain(key), plain(value))
        })
        .collect()
}

/// The languages that the reader's browser asks for, best first.
pub fn languages() -> Vec<String> {
    window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect()
}

/// Marks the page as idle, or takes the mark off. Tests wait for it.
pub fn set_idle(idle: bool) {
    let root = root();
    if idle == root.has_attribute("data-idle") {
        return;
    }
    let _ = match idle {
        true => root.set_attribute("data-idle", ""),
        false => root.remove_attribute("data-idle"),
    };
}

/// Our own mistake: says so above whatever is left of the page, with the link of the run.
pub fn say_broken(what: &str) {
    web_sys::console::error_1(&what.into());
    let document = document();
    let (Ok(note), Some(body)) = (document.create_element("p"), document.body()) else { return };
    let _ = note.set_attribute("class", "notice bad broken");
    let _ = note.set_attribute("role", "alert");
    let link = window().location().href().unwrap_or_default();
    note.set_text_content(Some(&format!(
        "Inflight broke; please report this with the link. 程序出错，请附上链接反馈。 {link} {what}"
    )));
    let _ = body.prepend_with_node_1(&note);
    set_idle(true);
}

/// Whether an event comes from a control that has keys of its own.
pub fn is_control(target: &Element) -> bool {
    matches!(
        target.tag_name().as_str(),
        "BUTTON" | "A" | "INPUT" | "SELECT" | "TEXTAREA" | "SUMMARY"
    ) || target.get_attribute("role").is_some_and(|role| role == "button" || role == "slider")
}

/// Whether an event comes from a field in which letters are typed.
pub fn is_text_field(target: &Element) -> bool {
    match target.tag_name().as_str() {
        "TEXTAREA" | "SELECT" => true,
        "INPUT" => !matches!(
            target.get_attribute("type").as_deref(),
            Some("range" | "checkbox" | "radio" | "file" | "button")
        ),
        _ => target.has_attribute("contenteditable"),
    }
}

/// Copies what a field holds, with a fallback where the clipboard is not allowed.
///
/// The old command works inside every click; the new one needs a permission in a frame.
pub fn copy_from(field: &web_sys::HtmlTextAreaElement) -> bool {
    field.select();
    let document = document();
    let copied = document
        .dyn_ref::<web_sys::HtmlDocument>()
        .is_some_and(|html| html.exec_command("copy").unwrap_or(false));
    if !copied && window().is_secure_context() {
        let _ = window().navigator().clipboard().write_text(&field.value());
        return true;
    }
    copied
}

/// Fills a table's body with rows of three texts; the first of each heads its row.
pub fn fill_table(table: &Element, rows: &[[String; 3]]) {
    let document = document();
    table.set_text_content(None);
    for row in rows {
        let Ok(line) = document.create_element("tr") else { return };
        for (i, text) in row.iter().enumerate() {
            let Ok(cell) = document.create_element(if i == 0 { "th" } else { "td" }) else {
                return;
            };
            if i == 0 {
                let _ = cell.set_attribute("scope", "row");
            }
            cell.set_text_content(Some(text));
            let _ = line.append_child(&cell);
        }
        let _ = table.append_child(&line);
    }
}
