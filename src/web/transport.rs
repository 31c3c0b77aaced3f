//! The transport bar: to the start, step back, play, step, clock, speed, the next event; and the
//! scrubber with its marks, which is the time axis of the tracks below it.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlSelectElement, PointerEvent};
use yew::prelude::*;

use crate::kernel::SimTime;
use crate::param::{Lang, Text};
use crate::view::numbers;
use crate::web::act::Act;
use crate::web::dom;
use crate::web::icons::{Icon, icon};
use crate::web::lab::LabHandle;
use crate::web::part::{Range, number};
use crate::web::readout::{Clock, Mark, MarkKind};
use crate::web::speed;

const PLAY: Text = Text::new("Play", "播放");
const PAUSE: Text = Text::new("Pause", "暂停");
const NEXT_EVENT: Text = Text::new("Next event", "下一事件");
const TO_START: Text = Text::new("To the start", "回到开头");
const STEP_BACK: Text = Text::new("Step back one event", "后退一个事件");
const STEP: Text = Text::new("Step one event", "前进一个事件");
const SPEED: Text = Text::new("Speed", "速度");
const TRANSPORT: Text = Text::new("Transport", "播放控制");
const TIME: Text = Text::new("Time", "时间");
const OUT: Text = Text::new("Open in a page of its own", "在独立页面中打开");

/// The scrubber's positions: fine enough for a pixel, coarse enough for a number.
pub const SCRUB: u32 = 100_000;

/// Properties of [`Transport`].
#[derive(Properties, PartialEq)]
pub struct TransportProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// What to show.
    pub clock: Clock,
    /// The marks of the scrubber.
    pub marks: Rc<[Mark]>,
    /// Whether the page stands in a frame.
    pub embed: bool,
}

/// The transport bar and the scrubber.
#[component]
pub fn Transport(props: &TransportProps) -> Html {
    let TransportProps { lab, lang, clock, marks, embed } = props;
    let lang = *lang;
    let does = |act: Act| {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.act(act.clone()))
    };
    let (play_icon, play_word) = match (clock.playing, clock.steps) {
        (true, _) => (Icon::Pause, PAUSE),
        (false, true) => (Icon::Play, NEXT_EVENT),
        (false, false) => (Icon::Play, PLAY),
    };
    let at_start = clock.now == SimTime::ZERO;
    let button = |class: &'static str, word: Text, shape: Icon, act: Act, off: bool| {
        html! {
            <button type="button" class={classes!("btn", "icon", class)}
                aria-label={word.get(lang)} title={word.get(lang)}
                onclick={does(act)} disabled={off}>{ icon(shape) }</button>
        }
    };
    html! {
        <div class="drive">
            <div class="transport" role="group" aria-label={TRANSPORT.get(lang)}>
                { button("to-start", TO_START, Icon::ToStart, Act::ToStart, at_start) }
                { button("back", STEP_BACK, Icon::Back, Act::StepBack(1), at_start) }
                <button type="button" class="btn primary play" onclick={does(Act::Toggle)}
                    aria-label={play_word.get(lang)}>
                    { icon(play_icon) }<span>{ play_word.get(lang) }</span>
                </button>
                { button("fwd", STEP, Icon::Forward, Act::Step(1), clock.finished) }
                <ClockFace lang={lang} clock={clock.clone()} />
                <Speed lab={lab.clone()} lang={lang} index={clock.speed} />
                <span class="grow"></span>
                { next_words(lang, clock) }
                if *embed {
                    <a class="btn icon out-link" target="_blank" rel="noopener"
                        href={lab.own_page()} aria-label={OUT.get(lang)} title={OUT.get(lang)}>
                        { icon(Icon::Out) }
                    </a>
                }
            </div>
            <Scrubber lab={lab.clone()} lang={lang} now={clock.now} until={clock.until}
                marks={marks.clone()} />
        </div>
    }
}

/// The next event in words; nothing when there is none.
fn next_words(lang: Lang, clock: &Clock) -> Html {
    let Some((what, within)) = &clock.next else { return Html::default() };
    match lang {
        Lang::En => html! {
            <span class="next">{ "next: " }<b>{ what }</b>{ format!(" in {within}") }</span>
        },
        Lang::Zh => html! {
            <span class="next">{ format!("下一事件：{within} 后 ") }<b>{ what }</b></span>
        },
    }
}

/// Properties of [`ClockFace`].
#[derive(Properties, PartialEq)]
struct ClockFaceProps {
    lang: Lang,
    clock: Clock,
}

/// The clock.
#[component]
fn ClockFace(props: &ClockFaceProps) -> Html {
    let clock = &props.clock;
    let whole = numbers::short_span(clock.until.since(SimTime::ZERO));
    let of = match props.lang {
        Lang::En => format!("of {whole}"),
        Lang::Zh => format!("/ {whole}"),
    };
    let under = match (&clock.next, props.lang) {
        (Some((what, within)), Lang::En) => format!("{what} in {within}"),
        (Some((what, within)), Lang::Zh) => format!("{within} 后 {what}"),
        (None, _) => of.clone(),
    };
    html! {
        <div class="clock">
            <b>{ numbers::clock(clock.now) }</b>
            <span class="of">{ of }</span>
            <span class="under">{ under }</span>
        </div>
    }
}

/// Properties of [`Speed`].
#[derive(Properties, PartialEq)]
struct SpeedProps {
    lab: LabHandle,
    lang: Lang,
    index: u8,
}

/// The speed: a slider, and on narrow screens a list.
#[component]
fn Speed(props: &SpeedProps) -> Html {
    let words = speed::words(props.index);
    let lab = props.lab.clone();
    let oninput = Callback::from(move |index: u32| lab.act(Act::Speed(index as u8)));
    let lab = props.lab.clone();
    let onchange = Callback::from(move |event: Event| {
        let select = event.target().and_then(|t| t.dyn_into::<HtmlSelectElement>().ok());
        if let Some(index) = select.and_then(|s| s.value().parse().ok()) {
            lab.act(Act::Speed(index));
        }
    });
    let name = SPEED.get(props.lang);
    html! {
        <div class="speed">
            <label for="speed"><span>{ name }</span></label>
            <Range id="speed" value={u32::from(props.index)} max={u32::from(speed::LAST)}
                text={words.clone()} {oninput} />
            <output for="speed">{ &words }</output>
            <select class="field" aria-label={name} {onchange}>
                { for (0..=speed::LAST).rev().map(|index| html! {
                    <option value={index.to_string()} selected={index == props.index}>
                        { speed::words(index) }
                    </option>
                }) }
            </select>
        </div>
    }
}

/// Properties of [`Scrubber`].
#[derive(Properties, PartialEq)]
struct ScrubberProps {
    lab: LabHandle,
    lang: Lang,
    now: SimTime,
    until: SimTime,
    marks: Rc<[Mark]>,
}

/// The time axis: what was played, faults and drops, ticks; a slider lies over it.
#[component]
fn Scrubber(props: &ScrubberProps) -> Html {
    let until = props.until;
    let value = place_of(props.now, until);
    let played = percent(value);
    let hover = use_state_eq(|| None::<u32>);
    let lab = props.lab.clone();
    let oninput = Callback::from(move |event: InputEvent| {
        if let Some(place) = number(&event) {
            lab.act(Act::Seek(instant_at(place, until)));
        }
    });
    let over = hover.clone();
    let onpointermove = Callback::from(move |event: PointerEvent| over.set(under(&event)));
    let over = hover.clone();
    let onpointerleave = Callback::from(move |_: PointerEvent| over.set(None));
    html! {
        <div class="scrub">
            <div class="axis">
                <svg class="marks" aria-hidden="true">
                    <line class="rail" x1="0" x2="100%" y1="20" y2="20" />
                    <line class="played" x1="0" x2={played} y1="20" y2="20" />
                    { ticks(until) }
                    { for props.marks.iter().enumerate().map(|(i, m)| mark(&props.marks, i, m)) }
                </svg>
                <input type="range" min="0" max={SCRUB.to_string()} step="1" data-scrub=""
                    value={value.to_string()} aria-label={TIME.get(props.lang)}
                    aria-valuetext={numbers::clock(props.now)}
                    {oninput} {onpointermove} {onpointerleave} />
                if let Some(place) = *hover {
                    <Hover {place} until={until} />
                }
            </div>
        </div>
    }
}

/// Properties of [`Hover`].
#[derive(Properties, PartialEq)]
struct HoverProps {
    place: u32,
    until: SimTime,
}

/// The instant under the pointer.
#[component]
fn Hover(props: &HoverProps) -> Html {
    let ground = use_node_ref();
    let element = ground.clone();
    use_effect_with(props.place, move |place| {
        if let Some(element) = element.cast::<Element>() {
            let share = f64::from(*place) / f64::from(SCRUB);
            dom::css_var(&element, "--v", &format!("{share:.5}"));
        }
    });
    let words = numbers::instant(instant_at(props.place, props.until));
    html! { <span class="hover" ref={ground} aria-hidden="true">{ words }</span> }
}

/// The place under a pointer; the slider stands 8 px over on both sides.
fn under(event: &PointerEvent) -> Option<u32> {
    let target: Element = event.target()?.dyn_into().ok()?;
    let area = target.get_bounding_client_rect();
    let width = area.width() - 16.0;
    let share = (f64::from(event.client_x()) - area.left() - 8.0) / width.max(1.0);
    Some((share.clamp(0.0, 1.0) * f64::from(SCRUB)) as u32)
}

/// The place of an instant on the scrubber.
pub fn place_of(at: SimTime, until: SimTime) -> u32 {
    let share = u128::from(at.ns()) * u128::from(SCRUB) / u128::from(until.ns().max(1));
    u32::try_from(share).unwrap_or(SCRUB).min(SCRUB)
}

/// The instant at a place of the scrubber.
pub fn instant_at(place: u32, until: SimTime) -> SimTime {
    let ns = u128::from(until.ns()) * u128::from(place.min(SCRUB)) / u128::from(SCRUB);
    SimTime::from_ns(u64::try_from(ns).unwrap_or(u64::MAX))
}

fn percent(place: u32) -> String {
    format!("{:.3}%", f64::from(place) / f64::from(SCRUB) * 100.0)
}

/// Round instants along the axis: four to seven of them, the ends included.
fn ticks(until: SimTime) -> Html {
    let step = tick_step(until.ns());
    let last = until.ns();
    let near_end = |ns: u64| last - ns < step * 2 / 3;
    let mut at: Vec<u64> = (0..).map(|n| n * step).take_while(|ns| *ns < last).collect();
    at.retain(|ns| *ns == 0 || !near_end(*ns));
    at.push(last);
    at.into_iter()
        .map(|ns| {
            let time = SimTime::from_ns(ns);
            let anchor = match ns {
                0 => "start",
                _ if ns == last => "end",
                _ => "middle",
            };
            html! {
                <text x={percent(place_of(time, until))} y="40" text-anchor={anchor}>
                    { numbers::short_span(time.since(SimTime::ZERO)) }
                </text>
            }
        })
        .collect()
}

/// The step between ticks: 1, 2 or 5 times a power of ten, a fifth of the run or more.
fn tick_step(whole: u64) -> u64 {
    let least = (whole / 6).max(1);
    let mut step = 1_u64;
    loop {
        for n in [1, 2, 5] {
            if least <= step.saturating_mul(n) {
                return step.saturating_mul(n);
            }
        }
        step = step.saturating_mul(10);
    }
}

/// A mark: bolt, cross or bar, with its words when the next one leaves room for them.
fn mark(all: &[Mark], index: usize, mark: &Mark) -> Html {
    /// The room that words need, as a share of the axis.
    const ROOM: u32 = SCRUB / 5;
    let free = all.get(index + 1).is_none_or(|next| ROOM < next.place.saturating_sub(mark.place));
    let fits = free && mark.place < SCRUB - SCRUB / 6;
    let (shape, class) = match mark.kind {
        MarkKind::Fault => (
            html! { <path d="M1 -6 -4 1.2h3.2L-1.4 6.4 4 -1h-3.4z" fill="var(--bad-ink)" /> },
            "bad",
        ),
        MarkKind::Drop => (
            html! { <path d="M-3.4-3.4 3.4 3.4M3.4-3.4-3.4 3.4" stroke="var(--state-lost)"
            stroke-width="2" stroke-linecap="round" /> },
            "note",
        ),
        MarkKind::Change => (html! { <path d="M0-5V5" stroke="var(--ink-3)" /> }, "note"),
    };
    html! {
        <svg x={percent(mark.place)} overflow="visible">
            <g transform="translate(0 8)">{ shape }</g>
            if fits { <text class={class} x="9" y="12">{ &mark.words }</text> }
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_instants_answer_each_other() {
        let until = SimTime::from_ns(12_000_000_000);
        assert_eq!(place_of(SimTime::ZERO, until), 0);
        assert_eq!(place_of(until, until), SCRUB);
        assert_eq!(instant_at(SCRUB, until), until);
        assert_eq!(instant_at(50_000, until), SimTime::from_ns(6_000_000_000));
        assert_eq!(place_of(instant_at(67_000, until), until), 67_000);
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(tick_step(12_000_000_000), 2_000_000_000);
        assert_eq!(tick_step(1_000_000), 200_000);
        assert_eq!(tick_step(60_000_000_000), 10_000_000_000);
        assert_eq!(tick_step(1), 1);
    }
}
