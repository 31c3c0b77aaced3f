//! A draft as a document again: what was set is written, defaults and comments are not.

use std::fmt::Write;

use crate::model::channel::tcp::WireParams;
use crate::observe::Guarantee;
use crate::param::{Said, Spec, Value, show_span};
use crate::world::deed::Deed;
use crate::world::draft::{ChannelDraft, Draft, Exceptions, FaultDraft};
use crate::world::machines::WireDraft;

/// The document of a draft.
pub(super) fn write(draft: &Draft) -> String {
    let mut out = Out(String::from("format = 1\n"));
    out.text("id", &draft.id);
    out.text("topic", &draft.topic);
    out.said("title", &draft.title);
    out.said("story", &draft.story);
    out.said("question", &draft.question);
    out.line(format_args!("seed = {}", draft.seed));
    out.text("until", &show_span(draft.until));
    if let Some(speed) = draft.speed {
        out.text("speed", &speed.show());
    }
    out.promises(&draft.promises);
    for host in &draft.hosts {
        out.table("host");
        out.text("id", &host.id);
        out.text("profile", host.params.kind());
        let values = |index| host.params.params().get(index);
        out.params(host.params.params().specs(), values);
    }
    for wire in &draft.wires {
        out.table("wire");
        if wire.id != WireDraft::default_id(&wire.from, &wire.to) {
            out.text("id", &wire.id);
        }
        out.text("from", &wire.from);
        out.text("to", &wire.to);
        out.params(WireParams::SPECS, |index| wire.params.get(index));
    }
    for actor in &draft.actors {
        out.table("actor");
        out.text("id", &actor.id);
        out.text("kind", actor.params.kind());
        if let Some(name) = &actor.name {
            out.said("name", name);
        }
        if let Some(host) = &actor.host {
            out.text("host", host);
        }
        if let Some(count) = actor.count {
            out.line(format_args!("count = {count}"));
        }
        let values = |index| actor.params.params().get(index);
        out.params(actor.params.specs(), values);
        out.only("actor", actor.params.specs(), &actor.only);
    }
    draft.channels.iter().for_each(|channel| out.channel(channel));
    draft.faults.iter().for_each(|fault| out.fault(fault));
    for (_, path) in &draft.knobs {
        out.table("knob");
        out.text("param", path);
    }
    out.0
}

struct Out(String);

impl Out {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn channel(&mut self, channel: &ChannelDraft) {
        self.table("channel");
        if channel.id != format!("{}-{}", channel.from, channel.to) {
            self.text("id", &channel.id);
        }
        if let Some(name) = &channel.name {
            self.said("name", name);
        }
        self.text("from", &channel.from);
        self.text("to", &channel.to);
        self.text("kind", channel.params.kind());
        let values = |index| channel.params.get(index);
        self.params(channel.params.specs(), values);
        self.only("channel", channel.params.specs(), &channel.only);
    }

    fn table(&mut self, name: &str) {
        self.line(format_args!("\n[[{name}]]"));
    }

    fn text(&mut self, key: &str, text: &str) {
        self.line(format_args!("{key} = {}", quoted(text)));
    }

    fn said(&mut self, key: &str, said: &Said) {
        if said.en == said.zh {
            return self.text(key, &said.en);
        }
        let (en, zh) = (quoted(&said.en), quoted(&said.zh));
        self.line(format_args!("{key} = {{ en = {en}, zh = {zh} }}"));
    }

    fn promises(&mut self, promises: &[Guarantee]) {
        if !promises.is_empty() {
            let all: Vec<String> = promises.iter().map(|p| quoted(p.key())).collect();
            self.line(format_args!("promise = [{}]", all.join(", ")));
        }
    }

    fn params(&mut self, specs: &[Spec], value: impl Fn(u8) -> Value) {
        for (index, spec) in specs.iter().enumerate() {
            let value = value(index as u8);
            if value != spec.default() {
                self.value(spec, &value);
            }
        }
    }

    fn only(&mut self, table: &str, specs: &[Spec], only: &Exceptions) {
        for (member, own) in only.iter().filter(|(_, own)| !own.is_empty()) {
            self.line(format_args!("[{table}.only.{member}]"));
            for (index, value) in own {
                self.value(&specs[usize::from(*index)], value);
            }
        }
    }

    fn value(&mut self, spec: &Spec, value: &Value) {
        match value {
            Value::Amount(amount) if *amount != crate::param::Amount::UNLIMITED => {
                self.line(format_args!("{} = {}", spec.key, amount.0));
            }
            Value::Lines(lines) => {
                // The grammars of ours have neither quotes nor backslashes.
                let text = lines.0.join("\n");
                if text.contains(['"', '\\']) {
                    return self.text(spec.key, &text);
                }
                self.line(format_args!("{} = \"\"\"\n{text}\n\"\"\"", spec.key));
            }
            Value::Bool(on) => self.line(format_args!("{} = {on}", spec.key)),
            _ => self.text(spec.key, &spec.show(value)),
        }
    }

    fn fault(&mut self, fault: &FaultDraft) {
        self.table("fault");
        self.text("at", &show_span(fault.at));
        self.text("do", fault.deed.verb());
        self.deed(&fault.deed);
        if let Some(lasts) = fault.lasts {
            self.text("for", &show_span(lasts));
        }
    }

    fn deed(&mut self, deed: &Deed) {
        match deed {
            Deed::Cut(id) | Deed::Mend(id) => self.text("channel", id),
            Deed::Drop { channel, nth } => {
                self.text("channel", channel);
                self.line(format_args!("nth = {nth}"));
            }
            Deed::Lose { channel, back, nth } => {
                self.text("channel", channel);
                self.text("way", if *back { "back" } else { "forth" });
                self.line(format_args!("nth = {nth}"));
            }
            Deed::Slow { actor, factor } => {
                self.text("actor", actor);
                self.text("factor", &factor.show());
            }
            Deed::Set { path, value } => {
                self.text("param", path);
                self.text("value", value);
            }
            _ => self.text("actor", deed.whom()),
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
