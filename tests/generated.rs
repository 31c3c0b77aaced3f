//! Files that are made from the code: they are fresh, or `UPDATE=1` makes them so.

use std::collections::BTreeSet;

use inflight::model::actor::ActorParams;
use inflight::model::channel::ChannelParams;
use inflight::model::channel::tcp::WireParams;
use inflight::model::host::{HostParams, PROFILES};
use inflight::param::{Lang, Spec};
use inflight::world::{reference, schema};

fn is_fresh(path: &str, text: &str) {
    let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some_and(|set| set == "1") {
        std::fs::write(&file, text).expect("the file can be written");
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == text, "{path} is stale; run UPDATE=1 cargo test --test native generated");
}

#[test]
fn the_table_of_parameters_is_fresh() {
    is_fresh("docs/parameters.md", &reference::markdown());
}

#[test]
fn the_schema_is_fresh() {
    is_fresh("docs/scenario.schema.json", &schema::schema());
}

fn all_specs() -> Vec<(&'static str, &'static [Spec])> {
    let actors = ActorParams::KINDS.iter().filter_map(|kind| ActorParams::of_kind(kind));
    let channels = ChannelParams::KINDS.iter().filter_map(|kind| ChannelParams::of_kind(kind));
    let actors = actors.map(|params| (params.kind(), params.specs()));
    let hosts = PROFILES.iter().filter_map(|name| HostParams::of_profile(name));
    let hosts = hosts.map(|params| (params.kind(), params.params().specs()));
    let wire = std::iter::once((WireParams::KIND, WireParams::SPECS));
    let channels = channels.map(|params| (params.kind(), params.specs()));
    actors.chain(channels).chain(hosts).chain(wire).collect()
}

#[test]
fn every_parameter_is_declared_soundly() {
    for (kind, specs) in all_specs() {
        let mut keys = BTreeSet::new();
        for spec in specs {
            let place = format!("{kind}.{}", spec.key);
            assert!(keys.insert(spec.key), "{place} twice");
            let reserved = ["id", "name", "kind", "host", "count", "only", "from", "to"];
            assert!(!reserved.contains(&spec.key), "{place} is a key of the document");
            assert_eq!(spec.check(&spec.default()), Ok(()), "{place}: its default");
            assert_eq!(spec.parse(&spec.show(&spec.default())), Ok(spec.default()), "{place}");
            if spec.has_slider() {
                let (first, last) = spec.slider();
                assert!(spec.min().ordinal() < spec.max().ordinal(), "{place}");
                assert!(first.ordinal() < last.ordinal(), "{place}");
                assert_eq!(spec.check(&first), Ok(()), "{place}: its slider");
                assert_eq!(spec.check(&last), Ok(()), "{place}: its slider");
                for position in 0..=Spec::LAST {
                    let value = spec.at_position(position);
                    assert_eq!(spec.check(&value), Ok(()), "{place} at {position}");
                    assert_eq!(spec.parse(&spec.show(&value)), Ok(value), "{place} at {position}");
                }
            }
            let words = spec.choices.iter().map(|choice| choice.word);
            assert!(words.clone().collect::<BTreeSet<_>>().len() == spec.choices.len(), "{place}");
        }
    }
}

#[test]
fn every_parameter_speaks_both_languages_within_its_room() {
    for (kind, specs) in all_specs() {
        for spec in specs {
            let place = format!("{kind}.{}", spec.key);
            for lang in Lang::ALL {
                assert!(!spec.name.get(lang).is_empty(), "{place}");
                assert!(!spec.help.get(lang).is_empty(), "{place}");
                assert!(spec.choices.iter().all(|c| !c.name.get(lang).is_empty()), "{place}");
            }
            assert!(spec.help.en.ends_with('.') || spec.help.en.ends_with('?'), "{place}");
            assert!(spec.help.zh.ends_with('。') || spec.help.zh.ends_with('？'), "{place}");
            assert!(spec.name.en.chars().count() <= 24, "{place}: {}", spec.name.en);
            // A name of a program's own is the same in both languages, and narrow.
            let room = if spec.name.zh == spec.name.en { 24 } else { 10 };
            assert!(spec.name.zh.chars().count() <= room, "{place}: {}", spec.name.zh);
            assert!(!spec.source.is_empty(), "{place}");
        }
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_schema_is_json_and_knows_every_parameter() {
    let schema: serde_json::Value = serde_json::from_str(&schema::schema()).expect("JSON");
    let actors = schema["properties"]["actor"]["items"]["oneOf"].as_array().expect("kinds");
    let channels = schema["properties"]["channel"]["items"]["oneOf"].as_array().expect("kinds");
    let hosts = schema["properties"]["host"]["items"]["anyOf"].as_array().expect("profiles");
    let wire = &schema["properties"]["wire"]["items"];
    let kinds: Vec<_> = actors.iter().chain(channels).chain(hosts).chain([wire]).collect();
    assert_eq!(kinds.len(), all_specs().len());
    for (node, (kind, specs)) in kinds.into_iter().zip(all_specs()) {
        let properties = &node["properties"];
        let named = ["kind", "profile"].map(|key| properties[key]["enum"][0].as_str());
        assert!(kind == "wire" || named.contains(&Some(kind)), "{kind}");
        for spec in specs {
            assert!(node["properties"][spec.key].is_object(), "{kind}.{}", spec.key);
        }
    }
}
