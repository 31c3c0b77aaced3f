//! The top bar: the project, the scenario, the way to the others, share, language, theme, help.

use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::web::act::Act;
use crate::web::icons::{Icon, brand, icon};
use crate::web::lab::LabHandle;
use crate::web::shell::{Place, Sheet, Shell, Theme};

const ALL: Text = Text::new("All scenarios", "全部场景");
const SHARE: Text = Text::new("Share", "分享");
const EDIT: Text = Text::new("Edit", "编辑");
const EDIT_LONG: Text = Text::new("The scenario as a document", "场景文档");
const NEW: Text = Text::new("New from a document", "用文档新建");
const LANGUAGE: Text = Text::new("Language", "语言");
const THEME: Text = Text::new("Theme", "主题");
const HELP: Text = Text::new("Help and keys", "帮助与按键");
const KNOBS: Text = Text::new("Knobs", "参数");
const TAGLINE: Text = Text::new(
    "Watch messages move, and ask each why it was late",
    "看消息怎样走，问每一条为什么晚",
);

/// Properties of [`Top`].
#[derive(Properties, PartialEq)]
pub struct TopProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The page's own state.
    pub shell: Shell,
    /// The scenario's title.
    pub title: AttrValue,
}

/// The top bar.
#[component]
pub fn Top(props: &TopProps) -> Html {
    let TopProps { lab, shell, title } = props;
    let lang = shell.lang;
    let does = |act: Act| {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.act(act.clone()))
    };
    let gallery = shell.place == Place::Gallery;
    let drawer = if shell.drawer { "true" } else { "false" };
    html! {
        <header class="top">
            <button type="button" class="brand" onclick={does(Act::Place(Place::Gallery))}
                aria-label={format!("Inflight: {}", ALL.get(lang))}>
                { brand() }<b>{ "Inflight" }</b>
            </button>
            <span class="rule"></span>
            if gallery {
                <h1>{ TAGLINE.get(lang) }</h1>
            } else {
                <h1>{ title.clone() }</h1>
            }
            <span class="grow"></span>
            if !gallery {
                { worded(ALL, ALL, Icon::Grid, lang, does(Act::Place(Place::Gallery))) }
                <span class="wide">
                    { worded(EDIT, EDIT_LONG, Icon::Pen, lang, does(Act::Sheet(Sheet::Editor))) }
                </span>
                { worded(SHARE, SHARE, Icon::Share, lang, does(Act::Sheet(Sheet::Share))) }
            } else {
                { worded(NEW, NEW, Icon::Pen, lang, does(Act::Sheet(Sheet::Editor))) }
            }
            <Languages lab={lab.clone()} {lang} />
            <span class="wide">
                <ThemeButton lab={lab.clone()} {lang} theme={shell.theme} />
            </span>
            { bare(HELP, Icon::Help, lang, "help", does(Act::Sheet(Sheet::Help))) }
            if !gallery {
                <button type="button" class="btn icon line drawer" aria-expanded={drawer}
                    aria-label={KNOBS.get(lang)} title={KNOBS.get(lang)}
                    onclick={does(Act::Drawer(!shell.drawer))}>{ icon(Icon::Knobs) }</button>
            }
        </header>
    }
}

/// A button with an icon and a word; on narrow screens the icon alone.
fn worded(word: Text, long: Text, shape: Icon, lang: Lang, onclick: Callback<MouseEvent>) -> Html {
    html! {
        <button type="button" class="btn" {onclick} title={long.get(lang)}>
            { icon(shape) }<span class="words">{ word.get(lang) }</span>
        </button>
    }
}

/// A button with an icon alone.
fn bare(
    word: Text,
    shape: Icon,
    lang: Lang,
    class: &'static str,
    onclick: Callback<MouseEvent>,
) -> Html {
    html! {
        <button type="button" class={classes!("btn", "icon", class)} {onclick}
            aria-label={word.get(lang)} title={word.get(lang)}>{ icon(shape) }</button>
    }
}

/// Properties of [`Languages`].
#[derive(Properties, PartialEq)]
struct LanguagesProps {
    lab: LabHandle,
    lang: Lang,
}

/// The switch of the language; each is listed by its own name.
#[component]
fn Languages(props: &LanguagesProps) -> Html {
    let choice = |lang: Lang, tag: &'static str, word: &'static str, long: &'static str| {
        let lab = props.lab.clone();
        let onclick = Callback::from(move |_: MouseEvent| lab.act(Act::Lang(lang)));
        let pressed = if props.lang == lang { "true" } else { "false" };
        html! {
            <button type="button" lang={tag} aria-pressed={pressed} aria-label={long} {onclick}>
                { word }
            </button>
        }
    };
    html! {
        <span class="seg langs" role="group" aria-label={LANGUAGE.get(props.lang)}>
            { choice(Lang::Zh, "zh-Hans", "中", "中文") }
            { choice(Lang::En, "en", "EN", "EN, English") }
        </span>
    }
}

/// Properties of [`ThemeButton`].
#[derive(Properties, PartialEq)]
pub struct ThemeProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// The chosen colours.
    pub theme: Theme,
}

/// Walks through auto, light, dark.
#[component]
pub fn ThemeButton(props: &ThemeProps) -> Html {
    let (next, now) = match props.theme {
        Theme::Auto => (Theme::Light, Text::new("as the system", "跟随系统")),
        Theme::Light => (Theme::Dark, Text::new("light", "浅色")),
        Theme::Dark => (Theme::Auto, Text::new("dark", "深色")),
    };
    let lab = props.lab.clone();
    let onclick = Callback::from(move |_: MouseEvent| lab.act(Act::Theme(next)));
    let words = match props.lang {
        Lang::En => format!("{}: {}", THEME.en, now.en),
        Lang::Zh => format!("{}：{}", THEME.zh, now.zh),
    };
    html! {
        <button type="button" class="btn icon theme" {onclick} aria-label={words.clone()}
            title={words}>{ icon(Icon::Theme) }</button>
    }
}
