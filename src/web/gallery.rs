//! The gallery: every preset as a card with a picture and one sentence.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::web::act::Act;
use crate::web::lab::LabHandle;
use crate::web::pictures::picture;
use crate::world::preset;

const SCENARIOS: Text = Text::new("Scenarios", "场景");
const ALL: Text = Text::new("All", "全部");
const FIND: Text = Text::new("Find", "查找");
const TOPICS: Text = Text::new("Topics", "主题");
const NONE: Text = Text::new("No scenario has these words.", "没有场景含有这些词。");

/// The topics in the order of the page.
const TOPIC_NAMES: [(&str, Text); 6] = [
    ("basics", Text::new("Start here", "从这里开始")),
    ("queues", Text::new("Queues", "队列")),
    ("guarantees", Text::new("Guarantees", "保证")),
    ("tcp", Text::new("TCP", "TCP")),
    ("stm32", Text::new("STM32 boards", "STM32 板子")),
    ("brokers", Text::new("Brokers and groups", "代理与消费组")),
];

/// Properties of [`Gallery`].
#[derive(Properties, PartialEq)]
pub struct GalleryProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
}

/// One preset in the words of the page.
#[derive(Clone, PartialEq)]
struct Card {
    id: &'static str,
    topic: String,
    title: String,
    story: String,
}

fn cards(lang: Lang) -> Vec<Card> {
    let card = |preset: &preset::Preset| {
        let scenario = preset.open();
        Card {
            id: preset.id,
            topic: scenario.topic,
            title: scenario.title.get(lang).to_string(),
            story: scenario.story.get(lang).to_string(),
        }
    };
    preset::ALL.iter().map(card).collect()
}

fn topic_name(topic: &str, lang: Lang) -> String {
    let known = TOPIC_NAMES.iter().find(|(key, _)| *key == topic);
    known.map_or_else(|| topic.to_string(), |(_, name)| name.get(lang).to_string())
}

/// The gallery.
#[component]
pub fn Gallery(props: &GalleryProps) -> Html {
    let GalleryProps { lab, lang } = props;
    let lang = *lang;
    let cards = use_memo(lang, |lang| cards(*lang));
    let topic = use_state_eq(|| None::<String>);
    let words = use_state_eq(String::new);
    let find = words.clone();
    let oninput = Callback::from(move |event: InputEvent| {
        let input = event.target().and_then(|t| t.dyn_into::<HtmlInputElement>().ok());
        find.set(input.map_or(String::new(), |input| input.value().to_ascii_lowercase()));
    });
    let mut topics: Vec<String> = Vec::new();
    for card in cards.iter() {
        if !topics.contains(&card.topic) {
            topics.push(card.topic.clone());
        }
    }
    let chip = |key: Option<String>, name: String, n: usize| {
        let pressed = if *topic == key { "true" } else { "false" };
        let topic = topic.clone();
        let onclick = Callback::from(move |_: MouseEvent| topic.set(key.clone()));
        html! {
            <button type="button" class="chip" aria-pressed={pressed} {onclick}>
                { name }{ " " }{ n }
            </button>
        }
    };
    let shown = |card: &&Card| {
        let text = format!("{} {} {}", card.id, card.title, card.story).to_ascii_lowercase();
        topic.as_ref().is_none_or(|topic| *topic == card.topic) && text.contains(words.as_str())
    };
    let shown: Vec<&Card> = cards.iter().filter(shown).collect();
    html! {
        <main id="main">
            <div class="head">
                <h2>{ SCENARIOS.get(lang) }</h2>
                <div class="chips" role="group" aria-label={TOPICS.get(lang)}>
                    { chip(None, ALL.get(lang).to_string(), cards.len()) }
                    { for topics.iter().map(|topic| {
                        let n = cards.iter().filter(|card| card.topic == *topic).count();
                        chip(Some(topic.clone()), topic_name(topic, lang), n)
                    }) }
                </div>
                <input class="field find" type="search" placeholder={FIND.get(lang)}
                    aria-label={FIND.get(lang)} {oninput} />
            </div>
            if shown.is_empty() { <p class="dim">{ NONE.get(lang) }</p> }
            <ul class="cards">{ for shown.into_iter().map(|card| view(lab, card)) }</ul>
        </main>
    }
}

/// A card: one link whose name is the title; a plain click does not load the page anew.
fn view(lab: &LabHandle, card: &Card) -> Html {
    let (open, id) = (lab.clone(), card.id);
    let onclick = Callback::from(move |event: MouseEvent| {
        let plain = event.button() == 0
            && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
        if plain {
            event.prevent_default();
            open.act(Act::Open(id.to_string()));
        }
    });
    html! {
        <li key={card.id}>
            <a href={format!("#v1/{}", card.id)} {onclick}>
                <figure>{ picture(card.id) }</figure>
                <h3>{ &card.title }</h3>
                <p>{ &card.story }</p>
            </a>
        </li>
    }
}
