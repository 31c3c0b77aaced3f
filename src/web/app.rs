//! The page: it shows the newest readout, and owns the frame loop.

use std::rc::Rc;

use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::view::Chosen;
use crate::web::act::Act;
use crate::web::editor::Editor;
use crate::web::gallery::Gallery;
use crate::web::guarantees::GuaranteesSheet;
use crate::web::help::Help;
use crate::web::icons::patterns;
use crate::web::inspector::{Events, Inspector};
use crate::web::knobs::KnobsPanel;
use crate::web::lab::LabHandle;
use crate::web::ladder::LadderPanel;
use crate::web::ledger::LedgerBar;
use crate::web::notices::Notices;
use crate::web::options::OptionsSheet;
use crate::web::readout::{Readout, Story};
use crate::web::share::Share;
use crate::web::shell::{Embed, Place, Sheet, Tab};
use crate::web::stage::Stage;
use crate::web::top::Top;
use crate::web::tracks::Tracks;
use crate::web::transport::Transport;

const SKIP: Text = Text::new("To the transport", "跳到播放控制");
const STORY: Text = Text::new("Story", "故事");
const TIME: Text = Text::new("Time", "时间");
const STAGE: Text = Text::new("Stage", "舞台");
const TRACKS: Text = Text::new("Charts over time", "随时间变化的图表");
const SIDE: Text = Text::new("Knobs and inspector", "参数与检视");
const PANELS: Text = Text::new("Panels", "面板");
const CHARTS: Text = Text::new("Charts", "图表");
const LADDER: Text = Text::new("Ladder", "时序图");
const KNOBS: Text = Text::new("Knobs", "参数");
const CHOSEN: Text = Text::new("Chosen", "已选中");
const LEDGER: Text = Text::new("Ledger", "账目");

/// The whole page.
#[component]
pub fn App() -> Html {
    let lab = use_memo((), |()| LabHandle::at_start());
    let readout = use_state_eq(|| lab.first_readout());
    let set = readout.setter();
    let loop_lab = (*lab).clone();
    // The loop starts once and ends with the page.
    use_effect_with((), move |()| {
        let running = loop_lab.start(Callback::from(move |next: Rc<Readout>| set.set(next)));
        move || drop(running)
    });
    let readout: Rc<Readout> = (*readout).clone();
    html! { <Page lab={(*lab).clone()} {readout} /> }
}

/// Properties of [`Page`].
#[derive(Properties, PartialEq)]
struct PageProps {
    lab: LabHandle,
    readout: Rc<Readout>,
}

/// The page at one readout.
#[component]
fn Page(props: &PageProps) -> Html {
    let PageProps { lab, readout } = props;
    let shell = &readout.shell;
    let lang = shell.lang;
    let title = readout.story.title.clone();
    use_effect_with((title.clone(), shell.place), |(title, _)| {
        crate::web::dom::document().set_title(&format!("{title} · Inflight"));
    });
    if let Some(parts) = shell.embed {
        let page = html! { <EmbedPage lab={lab.clone()} readout={readout.clone()} {parts} /> };
        return html! { <>{ patterns() }{ page }</> };
    }
    let top = html! { <Top lab={lab.clone()} shell={shell.clone()} {title} /> };
    let body = match shell.place {
        Place::Gallery => html! {
            <div class="gallery">{ top }<Gallery lab={lab.clone()} {lang} /></div>
        },
        Place::Lab if readout.ladder => ladder_page(lab, readout, top),
        Place::Lab => html! {
            <div class="page" data-tab={shell.tab.key()} data-drawer={shell.drawer.then_some("")}>
                <a class="skip" href="#transport">{ SKIP.get(lang) }</a>
                { top }
                <main class="left" id="main">
                    <Notices lab={lab.clone()} {lang} notices={readout.notices.clone()} />
                    { story(&readout.story) }
                    { stage(lab, readout) }
                    { drive(lab, readout) }
                    { tracks(lab, readout) }
                </main>
                <LedgerBar lab={lab.clone()} {lang} ledger={readout.ledger}
                    promises={readout.guarantees.in_short} run={readout.run.clone()} />
                <Tabs lab={lab.clone()} {lang} tab={shell.tab} changed={readout.knobs.changed}
                    chosen={chosen_title(readout)} ladder=false />
                { side(lab, readout) }
            </div>
        },
    };
    html! { <>{ patterns() }{ body }{ spoken(readout) }{ sheet(lab, readout) }</> }
}

/// The page of a scenario with segments: the stage and why something is late beside the ladder, and
/// the transport below both; knobs stand in the drawer.
fn ladder_page(lab: &LabHandle, readout: &Readout, top: Html) -> Html {
    let shell = &readout.shell;
    let lang = shell.lang;
    html! {
        <div class="page with-ladder" data-tab={shell.tab.key()}
            data-drawer={shell.drawer.then_some("")}>
            <a class="skip" href="#transport">{ SKIP.get(lang) }</a>
            { top }
            <section class="head" aria-label={STORY.get(lang)}>
                <Notices lab={lab.clone()} {lang} notices={readout.notices.clone()} />
                { story(&readout.story) }
            </section>
            <main class="left" id="main">
                { stage(lab, readout) }
                <div class="why">
                    <Inspector lab={lab.clone()} {lang} chosen={readout.chosen.clone()}
                        offered={readout.offered} cures={readout.cures.clone()} />
                </div>
                { tracks(lab, readout) }
            </main>
            <LadderPanel lab={lab.clone()} {lang} />
            <section class="through" aria-label={TIME.get(lang)}>{ drive(lab, readout) }</section>
            <LedgerBar lab={lab.clone()} {lang} ledger={readout.ledger}
                promises={readout.guarantees.in_short} run={readout.run.clone()} />
            <Tabs lab={lab.clone()} {lang} tab={shell.tab} changed={readout.knobs.changed}
                chosen={chosen_title(readout)} ladder=true />
            <aside class="side" aria-label={SIDE.get(lang)}>
                <KnobsPanel lab={lab.clone()} {lang} knobs={readout.knobs.clone()} />
                <Events {lang} events={readout.events.clone()} />
            </aside>
        </div>
    }
}

fn chosen_title(readout: &Readout) -> String {
    match readout.chosen.chosen {
        Chosen::Nothing => CHOSEN.get(readout.shell.lang).to_string(),
        _ => readout.chosen.title.clone(),
    }
}

fn story(story: &Story) -> Html {
    html! { <p class="story">{ &story.story }<b>{ &story.question }</b></p> }
}

fn stage(lab: &LabHandle, readout: &Readout) -> Html {
    let shell = &readout.shell;
    html! {
        <section class="stagebox" aria-label={STAGE.get(shell.lang)}>
            <Stage lab={lab.clone()} fill={shell.embed.is_some()} />
        </section>
    }
}

fn drive(lab: &LabHandle, readout: &Readout) -> Html {
    html! {
        <div id="transport">
            <Transport lab={lab.clone()} lang={readout.shell.lang} clock={readout.clock.clone()}
                marks={readout.marks.clone()} embed={readout.shell.embed.is_some()} />
        </div>
    }
}

fn tracks(lab: &LabHandle, readout: &Readout) -> Html {
    let shell = &readout.shell;
    html! {
        <section class="tracks" aria-label={TRACKS.get(shell.lang)}>
            <Tracks lab={lab.clone()} tcp={readout.ladder} log={readout.log} />
        </section>
    }
}

fn side(lab: &LabHandle, readout: &Readout) -> Html {
    let lang = readout.shell.lang;
    html! {
        <aside class="side" aria-label={SIDE.get(lang)}>
            <KnobsPanel lab={lab.clone()} {lang} knobs={readout.knobs.clone()} />
            <Inspector lab={lab.clone()} {lang} chosen={readout.chosen.clone()} />
            <Events {lang} events={readout.events.clone()} />
        </aside>
    }
}

/// What a screen reader hears: sentences at rest, and faults at once.
fn spoken(readout: &Readout) -> Html {
    html! {
        <>
            <p class="visually-hidden" role="status">{ &readout.status }</p>
            <p class="visually-hidden" role="alert">{ &readout.alert }</p>
        </>
    }
}

fn sheet(lab: &LabHandle, readout: &Readout) -> Html {
    let lang = readout.shell.lang;
    match readout.shell.sheet {
        Sheet::None => Html::default(),
        Sheet::Share => html! { <Share lab={lab.clone()} {lang} /> },
        Sheet::Guarantees => html! {
            <GuaranteesSheet lab={lab.clone()} {lang} shown={readout.guarantees.clone()} />
        },
        Sheet::Editor => html! { <Editor lab={lab.clone()} {lang} /> },
        Sheet::Options(host) => html! {
            <OptionsSheet lab={lab.clone()} {lang} {host} knobs={readout.knobs.clone()}
                sizes={readout.sizes.clone()} />
        },
        Sheet::Help => html! {
            <Help lab={lab.clone()} {lang} letters={readout.shell.letters}
                theme={readout.shell.theme} />
        },
    }
}

/// Properties of [`EmbedPage`].
#[derive(Properties, PartialEq)]
struct EmbedProps {
    lab: LabHandle,
    readout: Rc<Readout>,
    parts: Embed,
}

/// The page inside another page: only the parts that were asked for.
#[component]
fn EmbedPage(props: &EmbedProps) -> Html {
    let EmbedProps { lab, readout, parts } = props;
    let lang = readout.shell.lang;
    html! {
        <div class="page embed">
            <main class="left" id="main">
                <h1 class="visually-hidden">{ &readout.story.title }</h1>
                <Notices lab={lab.clone()} {lang} notices={readout.notices.clone()} />
                if parts.story { { story(&readout.story) } }
                if parts.stage { { stage(lab, readout) } }
                if parts.ladder && readout.ladder {
                    <LadderPanel lab={lab.clone()} {lang} embed=true />
                }
                if parts.transport { { drive(lab, readout) } }
                if parts.charts { { tracks(lab, readout) } }
            </main>
            if parts.knobs || parts.chosen {
                <aside class="side" aria-label={SIDE.get(lang)}>
                    if parts.knobs {
                        <KnobsPanel lab={lab.clone()} {lang} knobs={readout.knobs.clone()} />
                    }
                    if parts.chosen {
                        <Inspector lab={lab.clone()} {lang} chosen={readout.chosen.clone()}
                            sheets=false />
                    }
                </aside>
            }
            if parts.ledger {
                <LedgerBar lab={lab.clone()} {lang} ledger={readout.ledger}
                    promises={readout.guarantees.in_short} run={readout.run.clone()} />
            }
            { spoken(readout) }
        </div>
    }
}

/// Properties of [`Tabs`].
#[derive(Properties, PartialEq)]
struct TabsProps {
    lab: LabHandle,
    lang: Lang,
    tab: Tab,
    changed: usize,
    chosen: String,
    ladder: bool,
}

/// What stands below the stage on a narrow screen.
#[component]
fn Tabs(props: &TabsProps) -> Html {
    let TabsProps { lab, lang, tab, changed, chosen, ladder } = props;
    let entry = |this: Tab, word: String, n: usize| {
        let lab = lab.clone();
        let onclick = Callback::from(move |_: MouseEvent| lab.act(Act::Tab(this)));
        let pressed = if *tab == this { "true" } else { "false" };
        html! {
            <button type="button" aria-pressed={pressed} {onclick}>
                { word }
                if 0 < n { <span class="n">{ n }</span> }
            </button>
        }
    };
    let word = |text: Text| text.get(*lang).to_string();
    html! {
        <nav class="tabs" aria-label={PANELS.get(*lang)}>
            if *ladder { { entry(Tab::Ladder, word(LADDER), 0) } }
            { entry(Tab::Charts, word(CHARTS), 0) }
            { entry(Tab::Knobs, word(KNOBS), *changed) }
            { entry(Tab::Chosen, chosen.clone(), 0) }
            { entry(Tab::Ledger, word(LEDGER), 0) }
        </nav>
    }
}
