//! The manual's table of parameters, in both languages; made from their declarations.

use std::fmt::Write;

use crate::model::actor::ActorParams;
use crate::model::channel::ChannelParams;
use crate::model::channel::tcp::WireParams;
use crate::model::host::{HostParams, PROFILES};
use crate::param::{Applies, Kind, Spec};
use crate::world::draft::COUNT;
use crate::world::machines::PROFILE;
use crate::world::scenario::kind_name;
use crate::world::schema::shown;

/// The text of `docs/parameters.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Parameters\n\n\
         This page is made from the declarations in the code; a test keeps it fresh \
         (`UPDATE=1 cargo test --test native generated`).\n\
         A parameter's path is the id of its actor, group or channel, a dot and the key: \
         `producer.rate`, `consumer-2.service`.\n\
         Live parameters change while a run goes on; the others start it anew.\n\n\
         本页由代码中的声明生成。\
         参数的路径为节点、组或通路的 id，加点与键：`producer.rate`、`consumer-2.service`。\n\
         “live” 参数在运行中即可更改，“restart” 参数更改后重新开始。\n",
    );
    section(&mut out, "Every actor / 所有节点", std::slice::from_ref(COUNT));
    for params in ActorParams::KINDS.iter().filter_map(|kind| ActorParams::of_kind(kind)) {
        section(&mut out, &heading(params.kind()), params.specs());
    }
    for params in ChannelParams::KINDS.iter().filter_map(|kind| ChannelParams::of_kind(kind)) {
        section(&mut out, &heading(params.kind()), params.specs());
    }
    section(&mut out, "Every host / 所有主机", std::slice::from_ref(PROFILE));
    for host in PROFILES.iter().filter_map(|name| HostParams::of_profile(name)) {
        section(&mut out, &heading(host.kind()), host.params().specs());
    }
    section(&mut out, &heading(WireParams::KIND), WireParams::SPECS);
    out
}

fn heading(kind: &str) -> String {
    let name = kind_name(kind);
    format!("{} / {} (`{kind}`)", name.en, name.zh)
}

fn section(out: &mut String, heading: &str, specs: &[Spec]) {
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{line}");
    };
    line(format_args!("\n## {heading}\n"));
    line(format_args!("| key | name | default | allowed | applies | what it is | source |"));
    line(format_args!("|---|---|---|---|---|---|---|"));
    for spec in specs {
        let applies = match spec.applies {
            Applies::Live => "live",
            Applies::Restart => "restart",
        };
        line(format_args!(
            "| `{}` | {} / {} | {} | {} | {applies} | {} / {} | {} |",
            spec.key,
            spec.name.en,
            spec.name.zh,
            shown(spec),
            allowed(spec),
            spec.help.en,
            spec.help.zh,
            spec.source,
        ));
    }
}

fn allowed(spec: &Spec) -> String {
    match spec.kind {
        Kind::Choice => {
            let words = spec.choices.iter().map(|c| format!("`{}` ({})", c.word, c.name.zh));
            words.collect::<Vec<_>>().join(", ")
        }
        _ => spec.allowed().en,
    }
}
