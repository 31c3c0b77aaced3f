//! The lower half of a board's sheet: the smallest safe memory, and an article's claims.

use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::view::claims::{self, Row, ms};
use crate::view::numbers::count;
use crate::view::words::fill;
use crate::web::act::Act;
use crate::web::lab::LabHandle;
use crate::web::shell::Sheet;
use crate::web::sizes::{Found, SizesSight};

const SIZE: Text = Text::new("Smallest safe configuration", "最小安全配置");
const SIZE_HELP: Text = Text::new(
    "Searches, by running this scenario again and again, the least heap, pools and rings with \
     which no frame is dropped, no write is refused and nothing is later than with ample memory.",
    "反复运行此场景，搜索满足以下条件的最小堆、内存池和描述符环：不丢帧、不拒绝写入、不比内存充足时更晚。",
);
const START: Text = Text::new("Search", "搜索");
const STOP: Text = Text::new("Give up", "放弃");
const RUNS: Text = Text::new("Runs: {0} of about {1}", "已运行 {0} 次，共约 {1} 次");
const SAVED: Text = Text::new("{0} B of RAM saved. Runs: {1}.", "节省 RAM {0} B。运行 {1} 次。");
const NEEDS: Text = Text::new(
    "{0} B of RAM more than now are needed to lose nothing. Runs: {1}.",
    "要不丢失，还需比现在多 {0} B RAM。运行 {1} 次。",
);
const USE: Text = Text::new("Use these values", "采用这些值");
const PROOF: Text = Text::new("Open the run that proves it", "打开证明它的运行");
const OPTION: Text = Text::new("Option", "选项");
const NOW: Text = Text::new("Now", "当前");
const LEAST: Text = Text::new("Least", "最小");
const RAM: Text = Text::new("RAM", "RAM");
const CLAIMED: Text = Text::new("claimed", "声称");
const SIMULATED: Text = Text::new("simulated", "仿真");

/// Properties of [`SizesPanel`].
#[derive(Properties, PartialEq)]
pub struct SizesProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// The search.
    pub sizes: SizesSight,
}

/// The search for the smallest safe memory, and what it found.
#[component]
pub fn SizesPanel(props: &SizesProps) -> Html {
    let SizesProps { lab, lang, sizes } = props;
    let lang = *lang;
    let does = |act: Act| {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.act(act.clone()))
    };
    let body = match sizes {
        SizesSight::None => html! {
            <div class="acts">
                <button type="button" class="btn line" id="size-start"
                    onclick={does(Act::Size(true))}>{ START.get(lang) }</button>
            </div>
        },
        SizesSight::Running(done, all) => html! {
            <div class="acts">
                <progress value={done.to_string()} max={all.to_string()}></progress>
                <span role="status">
                    { fill(RUNS, lang, &[&done.to_string(), &all.to_string()]) }
                </span>
                <button type="button" class="btn line" onclick={does(Act::Size(false))}>
                    { STOP.get(lang) }</button>
            </div>
        },
        SizesSight::Failed(why) => html! { <div class="notice bad"><div>{ why }</div></div> },
        SizesSight::Done(found) => sized(lab, lang, found),
    };
    html! {
        <section class="built" aria-labelledby="size-title">
            <h3 id="size-title">{ SIZE.get(lang) }</h3>
            <p class="dim">{ SIZE_HELP.get(lang) }</p>
            { body }
        </section>
    }
}

fn sized(lab: &LabHandle, lang: Lang, found: &Found) -> Html {
    let (to, changes) = (lab.clone(), found.changes.clone());
    let apply = Callback::from(move |_: MouseEvent| to.act(Act::SetAll(changes.clone())));
    let to = lab.clone();
    let leave = Callback::from(move |_: MouseEvent| to.act(Act::Sheet(Sheet::None)));
    let saved = found.saved_bytes();
    let words = if saved < 0 { NEEDS } else { SAVED };
    let bytes = count(saved.unsigned_abs());
    let signed = |n: i64| match n {
        0 => "0 B".to_owned(),
        n if n < 0 => format!("+{} B", count(n.unsigned_abs())),
        n => format!("\u{2212}{} B", count(n.unsigned_abs())),
    };
    html! {
        <>
            <p role="status"><b class="saved">
                { fill(words, lang, &[&bytes, &found.n_trials.to_string()]) }
            </b></p>
            <div class="scrolls">
                <table class="rows">
                    <thead><tr>
                        <th scope="col">{ OPTION.get(lang) }</th>
                        <td>{ NOW.get(lang) }</td>
                        <td>{ LEAST.get(lang) }</td>
                        <td>{ RAM.get(lang) }</td>
                    </tr></thead>
                    <tbody>
                        { for found.options.iter().map(|option| html! {
                            <tr>
                                <th scope="row">
                                    <code>{ option.name }</code>{ " " }
                                    <span class="dim">{ &option.host }</span>
                                </th>
                                <td>{ count(option.before) }</td>
                                <td><b>{ count(option.least) }</b></td>
                                <td>{ signed(option.saved_bytes()) }</td>
                            </tr>
                        }) }
                    </tbody>
                </table>
            </div>
            <div class="acts">
                <button type="button" class="btn line" id="size-use"
                    disabled={found.changes.is_empty()} onclick={apply}>{ USE.get(lang) }</button>
                <a class="btn line" id="size-proof" href={found.link.clone()} onclick={leave}>
                    { PROOF.get(lang) }</a>
            </div>
        </>
    }
}

/// Properties of [`ClaimsPanel`].
#[derive(Properties, PartialEq)]
pub struct ClaimsProps {
    /// The language.
    pub lang: Lang,
}

/// Hollow bars for what an article claims, solid ones for what the simulated board does.
#[component]
pub fn ClaimsPanel(props: &ClaimsProps) -> Html {
    let lang = props.lang;
    let rows = use_memo((), |()| claims::rows());
    let longest = rows.iter().flat_map(|row| [row.claimed, row.simulated]).flatten().max();
    let longest = longest.map_or(1, |span| span.as_ns()).max(1) as f64;
    // Figures stand behind the bars: these take most of the width.
    let wide = move |ns: u64| format!("{:.3}%", (ns as f64 / longest * 74.0).max(0.4));
    html! {
        <section class="built" aria-labelledby="claims-title">
            <h3 id="claims-title">{ claims::TITLE.get(lang) }</h3>
            <p class="dim">{ claims::NOTE.get(lang) }</p>
            <p class="key">
                <i></i>{ CLAIMED.get(lang) }<i class="s"></i>{ SIMULATED.get(lang) }
            </p>
            <dl class="claims">
                { for rows.iter().map(|row| html! {
                    <div>
                        <dt>{ row.name.get(lang) }</dt>
                        <dd aria-label={claims::say(row, lang)}>{ bars(row, lang, &wide) }</dd>
                    </div>
                }) }
            </dl>
        </section>
    }
}

fn bars(row: &Row, lang: Lang, wide: &dyn Fn(u64) -> String) -> Html {
    let bar = |class: &'static str, ns: u64, words: String| {
        html! {
            <div class={class} aria-hidden="true">
                <svg width={wide(ns)} height="10"><rect width="100%" height="10" /></svg>{ words }
            </div>
        }
    };
    html! {
        <>
            if let Some(claim) = row.claimed {
                { bar("claim", claim.as_ns(), ms(claim, true)) }
            }
            if let Some(real) = row.simulated {
                { bar("real", real.as_ns(), ms(real, false)) }
            } else {
                <div class="real" aria-hidden="true">{ claims::CANNOT.get(lang) }</div>
            }
        </>
    }
}
