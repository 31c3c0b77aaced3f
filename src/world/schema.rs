//! The JSON Schema of scenario documents, for editors; made from the declarations of parameters.
//!
//! An editor that knows it completes keys, shows help and marks wrong words. Ranges of units and
//! what fits together only [`Scenario::parse`](crate::world::scenario::Scenario::parse) checks.

use crate::model::actor::ActorParams;
use crate::model::channel::ChannelParams;
use crate::model::channel::tcp::WireParams;
use crate::model::host::{HostParams, PROFILES};
use crate::observe::Guarantee;
use crate::param::{Kind, Spec, Value};
use crate::world::deed::Deed;
use crate::world::draft::{COUNT, MAX_ACTORS, MAX_CHANNELS, MAX_FAULTS, MAX_HOSTS, MAX_KNOBS};

/// A JSON value; objects keep their order.
#[derive(Clone, Debug)]
enum Json {
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The schema, as the text of `docs/scenario.schema.json`.
pub fn schema() -> String {
    let top = object(
        &["format"],
        vec![
            ("format", doc(list_of("enum", vec![Json::Number(1)]), "The only format so far.")),
            ("id", doc(word(), "A short word; a preset's file has the same name.")),
            ("topic", doc(word(), "What it is about: basics, queues, guarantees, ...")),
            ("title", doc(said(200), "A few words.")),
            ("story", doc(said(2_000), "Two sentences.")),
            ("question", doc(said(200), "What the reader should find out.")),
            ("seed", doc(integer(0, u64::MAX), "What the random streams start from.")),
            ("until", doc(text(), "When the run ends: 12s, 5min; at most 30d.")),
            (
                "speed",
                doc(text(), "The page's speed at first: simulated seconds per second, 1/50."),
            ),
            ("promise", doc(promise(), "What becomes of its messages; checked by every run.")),
            ("host", array(MAX_HOSTS, host())),
            ("wire", array(MAX_HOSTS, wire())),
            ("actor", array(MAX_ACTORS, actor())),
            ("channel", array(MAX_CHANNELS, channel())),
            ("fault", array(MAX_FAULTS, fault())),
            ("knob", array(MAX_KNOBS, knob())),
        ],
    );
    let mut all = vec![
        ("$schema".to_owned(), string("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), string("Inflight scenario")),
    ];
    if let Json::Object(entries) = top {
        all.extend(entries);
    }
    let mut out = String::new();
    write(&Json::Object(all), 0, &mut out);
    out.push('\n');
    out
}

fn promise() -> Json {
    let one = words(&Guarantee::ALL.map(Guarantee::key));
    list_of("anyOf", vec![one.clone(), array(Guarantee::ALL.len(), one)])
}

fn host() -> Json {
    let each = PROFILES.iter().filter_map(|name| HostParams::of_profile(name)).map(|host| {
        let mut entries = vec![
            ("id", doc(word(), "Actors and wires name it so.")),
            ("profile", list_of("enum", vec![string(host.kind())])),
        ];
        let specs = host.params().specs();
        entries.extend(specs.iter().map(|spec| (spec.key, parameter(spec))));
        object(&["id"], entries)
    });
    Json::Object(vec![("anyOf".to_owned(), Json::List(each.collect()))])
}

fn wire() -> Json {
    let mut entries = vec![
        ("id", doc(text(), "When it is left out: wire, and the two ends, with dashes.")),
        ("from", doc(text(), "One host.")),
        ("to", doc(text(), "The other.")),
    ];
    entries.extend(WireParams::SPECS.iter().map(|spec| (spec.key, parameter(spec))));
    object(&["from", "to"], entries)
}

fn actor() -> Json {
    let common = || {
        vec![
            ("id", doc(word(), "Channels, faults and knobs name it so.")),
            ("name", doc(said(200), "What the page calls it.")),
            ("host", doc(word(), "The machine it lives on.")),
            (COUNT.key, parameter(COUNT)),
        ]
    };
    let kinds = ActorParams::KINDS.iter().filter_map(|kind| ActorParams::of_kind(kind));
    let each = kinds.map(|params| node(params.kind(), params.specs(), common(), &["id", "kind"]));
    Json::Object(vec![("oneOf".to_owned(), Json::List(each.collect()))])
}

fn channel() -> Json {
    let common = || {
        vec![
            ("id", doc(word(), "When it is left out: the two ends with a dash.")),
            ("name", doc(said(200), "What the page calls it.")),
            ("from", doc(word(), "The actor that speaks first.")),
            ("to", doc(word(), "The actor spoken to.")),
        ]
    };
    let kinds = ChannelParams::KINDS.iter().filter_map(|kind| ChannelParams::of_kind(kind));
    let each = kinds.map(|params| node(params.kind(), params.specs(), common(), &["from", "to"]));
    Json::Object(vec![("oneOf".to_owned(), Json::List(each.collect()))])
}

/// An actor or a channel of one kind.
fn node(
    kind: &'static str,
    specs: &'static [Spec],
    mut entries: Vec<(&'static str, Json)>,
    required: &[&str],
) -> Json {
    entries.push(("kind", list_of("enum", vec![string(kind)])));
    let members = vec![
        ("type".to_owned(), string("object")),
        ("additionalProperties".to_owned(), typed("object")),
    ];
    entries.push(("only", doc(Json::Object(members), "Members of the group that differ.")));
    entries.extend(specs.iter().map(|spec| (spec.key, parameter(spec))));
    object(required, entries)
}

fn fault() -> Json {
    object(
        &["at", "do"],
        vec![
            ("at", doc(text(), "When: 8s.")),
            ("do", doc(words(Deed::VERBS), "What happens.")),
            ("actor", doc(text(), "To whom: an id, or all of a group.")),
            ("channel", doc(text(), "To which channel: cut, mend, drop, lose.")),
            ("nth", doc(integer(1, 1_000_000), "drop, lose: the nth one from then on.")),
            ("way", doc(words(&["forth", "back"]), "lose: in which direction of the channel.")),
            ("factor", doc(text(), "slow: 400% takes four times as long.")),
            ("param", doc(text(), "set: the parameter's path.")),
            ("value", doc(scalar(), "set: its new value.")),
            ("for", doc(text(), "crash, pause, cut, slow: after how long it is undone.")),
        ],
    )
}

fn knob() -> Json {
    let param = doc(text(), "A parameter's path: producer.rate, consumer.count.");
    object(&["param"], vec![("param", param)])
}

/// What a parameter may be, with its help, range and default.
fn parameter(spec: &Spec) -> Json {
    let value = match spec.kind {
        Kind::Bool => one_of(vec![typed("boolean"), words(&["on", "off"])]),
        Kind::Choice => {
            let all: Vec<&str> = spec.choices.iter().map(|choice| choice.word).collect();
            words(&all)
        }
        Kind::Amount => {
            let max = spec.max().ordinal();
            let most = if max == u64::MAX { u64::from(u32::MAX) - 1 } else { max };
            let number = integer(spec.min().ordinal(), most);
            one_of(vec![number, text()])
        }
        Kind::Words | Kind::Spans | Kind::Lines => {
            let list = vec![("type".to_owned(), string("array")), ("items".to_owned(), text())];
            one_of(vec![Json::Object(list), text()])
        }
        _ => text(),
    };
    let help =
        format!("{} Allowed: {}. Default: {}.", spec.help.en, spec.allowed().en, shown(spec));
    doc(value, &help)
}

/// The default as text.
pub(super) fn shown(spec: &Spec) -> String {
    let text = spec.show(&spec.default());
    match spec.default() {
        Value::Words(_) | Value::Spans(_) | Value::Lines(_) if text.is_empty() => "none".to_owned(),
        _ => text,
    }
}

fn string(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn typed(name: &str) -> Json {
    Json::Object(vec![("type".to_owned(), string(name))])
}

fn text() -> Json {
    typed("string")
}

fn scalar() -> Json {
    list_of("type", ["string", "integer", "number", "boolean", "array"].map(string).to_vec())
}

fn word() -> Json {
    let pattern = string("^[a-z][a-z0-9-]{0,31}$");
    Json::Object(vec![("type".to_owned(), string("string")), ("pattern".to_owned(), pattern)])
}

fn words(all: &[&str]) -> Json {
    list_of("enum", all.iter().map(|word| string(word)).collect())
}

fn integer(min: u64, max: u64) -> Json {
    Json::Object(vec![
        ("type".to_owned(), string("integer")),
        ("minimum".to_owned(), Json::Number(min)),
        ("maximum".to_owned(), Json::Number(max)),
    ])
}

fn said(limit: u64) -> Json {
    let line = || {
        let length = ("maxLength".to_owned(), Json::Number(limit));
        Json::Object(vec![("type".to_owned(), string("string")), length])
    };
    one_of(vec![line(), object(&[], vec![("en", line()), ("zh", line())])])
}

fn one_of(all: Vec<Json>) -> Json {
    list_of("oneOf", all)
}

fn list_of(key: &str, all: Vec<Json>) -> Json {
    Json::Object(vec![(key.to_owned(), Json::List(all))])
}

fn array(limit: usize, items: Json) -> Json {
    Json::Object(vec![
        ("type".to_owned(), string("array")),
        ("maxItems".to_owned(), Json::Number(limit as u64)),
        ("items".to_owned(), items),
    ])
}

/// A table with these keys and no others.
fn object(required: &[&str], entries: Vec<(&'static str, Json)>) -> Json {
    let mut all = vec![("type".to_owned(), string("object"))];
    if !required.is_empty() {
        let keys = required.iter().map(|key| string(key)).collect();
        all.push(("required".to_owned(), Json::List(keys)));
    }
    all.push(("additionalProperties".to_owned(), Json::Bool(false)));
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    all.push(("properties".to_owned(), Json::Object(entries)));
    Json::Object(all)
}

fn doc(value: Json, description: &str) -> Json {
    match value {
        Json::Object(mut entries) => {
            entries.insert(0, ("description".to_owned(), string(description)));
            Json::Object(entries)
        }
        other => other,
    }
}

/// Writes with two blanks a level; short lists of plain values on one line.
fn write(value: &Json, level: usize, out: &mut String) {
    let indent = |out: &mut String, level: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    };
    match value {
        Json::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number.to_string()),
        Json::Text(text) => quote(text, out),
        Json::List(all) => {
            let plain = all.iter().all(|v| !matches!(v, Json::List(_) | Json::Object(_)));
            out.push('[');
            for (i, value) in all.iter().enumerate() {
                match (i, plain) {
                    (0, true) => {}
                    (_, true) => out.push_str(", "),
                    (0, false) => indent(out, level + 1),
                    (_, false) => {
                        out.push(',');
                        indent(out, level + 1);
                    }
                }
                write(value, level + 1, out);
            }
            if !plain {
                indent(out, level);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                if i != 0 {
                    out.push(',');
                }
                indent(out, level + 1);
                quote(key, out);
                out.push_str(": ");
                write(value, level + 1, out);
            }
            if !entries.is_empty() {
                indent(out, level);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
