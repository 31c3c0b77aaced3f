//! The pictures of the gallery: one drawing per preset, of our own, in the colours of the theme.

use yew::prelude::*;

/// The drawing of a preset; a plain path for one that has none.
pub fn picture(id: &str) -> Html {
    let drawing = match id {
        "mm1" => mm1(),
        "funnel" => funnel(),
        "competing-consumers" => competing_consumers(),
        "slow-consumer-prefetch" => slow_consumer_prefetch(),
        "consumer-crash-redelivery" => consumer_crash_redelivery(),
        "full-queue" => full_queue(),
        "pipeline" => pipeline(),
        "request-reply" => request_reply(),
        "fanout-copies" => fanout_copies(),
        "lost-and-retried" => lost_and_retried(),
        _ => first_message(),
    };
    html! { <svg viewBox="0 0 288 116" aria-hidden="true">{ drawing }</svg> }
}

fn cross() -> Html {
    html! {
        <path d="M-4-4 4 4M4-4-4 4" stroke="var(--state-lost)" stroke-width="2.4"
            stroke-linecap="round" />
    }
}

fn again() -> Html {
    html! { <>
        <circle r="3.1" fill="var(--state-again)" />
        <circle r="5.6" fill="none" stroke="var(--state-again)" stroke-width="1.5" />
    </> }
}

/// A channel along a path.
fn pipe(d: &'static str) -> Html {
    html! { <><path class="pipe-o" {d} /><path class="pipe-i" {d} /></> }
}

/// An actor.
fn card(x: u32, y: u32, w: u32, h: u32) -> Html {
    html! {
        <rect class="card" x={x.to_string()} y={y.to_string()} width={w.to_string()}
            height={h.to_string()} rx="4" />
    }
}

/// A crashed actor.
fn dead(x: u32, y: u32, w: u32, h: u32) -> Html {
    html! {
        <rect class="card dead" x={x.to_string()} y={y.to_string()} width={w.to_string()}
            height={h.to_string()} rx="4" />
    }
}

/// A message that waits.
fn cell(x: u32, y: u32, side: u32) -> Html {
    html! {
        <rect x={x.to_string()} y={y.to_string()} width={side.to_string()}
            height={side.to_string()} rx="2" fill="var(--state-wait)" />
    }
}

fn first_message() -> Html {
    html! { <>
        { pipe("M70 58H218") }
        { card(24, 38, 46, 40) }
        { card(218, 38, 46, 40) }
        <path class="trail" stroke="var(--state-flight)" d="M110 58H140" />
        <g transform="translate(142 58) scale(1.3)">
            <circle r="5.2" fill="var(--state-flight)" />
        </g>
    </> }
}

fn mm1() -> Html {
    html! { <>
        <path d="M30 12V100H262" fill="none" stroke="var(--line-strong)" />
        <path d="M250 12V100" fill="none" stroke="var(--line-strong)" stroke-dasharray="2 4" />
        <path d="M30 96 118 93 162 90 195 84 214 75 226 64 234 47 239 20" fill="none"
            stroke="var(--accent)" stroke-width="2.4" />
        <text x="250" y="112" class="s m2" text-anchor="middle">{ "ρ = 1" }</text>
    </> }
}

fn funnel() -> Html {
    html! { <>
        <path d="M24 96H264" fill="none" stroke="var(--line-strong)" />
        <path d="M24 90H40V24H64V90H266V96H24Z" fill="var(--state-flight)" opacity=".35" />
        <path d="M40 96L64 40L260 96Z" fill="var(--state-wait)" />
        <path d="M24 82H264" fill="none" stroke="var(--state-done)" stroke-width="2"
            stroke-dasharray="5 3" />
    </> }
}

fn competing_consumers() -> Html {
    html! { <>
        { pipe("M150 48C190 48 190 24 226 24") }
        { pipe("M150 68C190 68 190 92 226 92") }
        { pipe("M54 58H92") }
        { card(20, 42, 34, 32) }
        { card(92, 32, 62, 52) }
        { card(226, 10, 42, 28) }
        { dead(226, 44, 42, 28) }
        { card(226, 78, 42, 28) }
        <g transform="translate(247 58)">
            { cross() }
        </g>
        <g transform="translate(196 33)">
            { again() }
        </g>
        { cell(99, 51, 14) }
        { cell(115, 51, 14) }
        { cell(131, 51, 14) }
    </> }
}

fn slow_consumer_prefetch() -> Html {
    html! { <>
        { pipe("M88 46C124 46 124 32 160 32") }
        { pipe("M88 70C124 70 124 84 160 84") }
        { card(28, 36, 62, 44) }
        { card(160, 14, 104, 36) }
        { card(160, 66, 104, 36) }
        <rect x="170" y="30" width="84" height="5" rx="2.5" fill="var(--sunken)" />
        { cell(170, 77, 14) }
        { cell(187, 77, 14) }
        { cell(204, 77, 14) }
        { cell(221, 77, 14) }
        { cell(238, 77, 14) }
        <circle cx="126" cy="76" r="5.2" fill="var(--state-flight)" />
    </> }
}

fn consumer_crash_redelivery() -> Html {
    html! { <>
        { pipe("M70 58H218") }
        { card(24, 36, 46, 44) }
        { dead(218, 36, 46, 44) }
        <g transform="translate(241 58) scale(1.3)">
            { cross() }
        </g>
        <path d="M214 48C180 14 110 14 78 42m9-1-9 1 2-9" fill="none" stroke="var(--state-again)"
            stroke-width="1.6" />
        <g transform="translate(146 58) scale(1.3)">
            { again() }
        </g>
        <g transform="translate(40 58)">
            <rect x="-4.8" y="-4.8" width="9.6" height="9.6" rx="1.5" fill="var(--state-wait)" />
        </g>
        <g transform="translate(54 58)">
            <rect x="-4.8" y="-4.8" width="9.6" height="9.6" rx="1.5" fill="var(--state-wait)" />
        </g>
    </> }
}

fn full_queue() -> Html {
    html! { <>
        { card(92, 34, 130, 48) }
        { cell(100, 51, 14) }
        { cell(117, 51, 14) }
        { cell(134, 51, 14) }
        { cell(151, 51, 14) }
        { cell(168, 51, 14) }
        { cell(185, 51, 14) }
        { cell(202, 51, 14) }
        { pipe("M20 58H92") }
        <g transform="translate(76 58)">
            <circle r="5.2" fill="var(--state-flight)" />
        </g>
        <g transform="translate(56 28) scale(1.2)">
            { cross() }
        </g>
        <g transform="translate(38 22)">
            { cross() }
        </g>
        <path d="M84 50C78 34 70 30 64 29" fill="none" stroke="var(--state-lost)"
            stroke-width="1.3" />
    </> }
}

fn pipeline() -> Html {
    html! { <>
        { pipe("M56 58H104M150 58H198") }
        { card(20, 40, 38, 36) }
        { card(104, 34, 48, 48) }
        { card(198, 34, 62, 48) }
        <rect x="112" y="62" width="32" height="5" rx="2.5" fill="var(--sunken)" />
        <rect x="112" y="62" width="26" height="5" rx="2.5" fill="var(--cause-processing)" />
        <rect x="206" y="62" width="46" height="5" rx="2.5" fill="var(--sunken)" />
        <rect x="206" y="62" width="14" height="5" rx="2.5" fill="var(--cause-processing)" />
        { cell(206, 42, 12) }
        { cell(221, 42, 12) }
        { cell(236, 42, 12) }
        <circle cx="80" cy="58" r="5.6" fill="var(--state-flight)" />
        <circle cx="174" cy="58" r="5.6" fill="var(--state-flight)" />
    </> }
}

fn request_reply() -> Html {
    html! { <>
        { pipe("M76 44H212M76 74H212") }
        { card(24, 28, 54, 62) }
        { card(210, 28, 54, 62) }
        <path class="trail" stroke="var(--state-flight)" d="M118 44H146" />
        <circle cx="148" cy="44" r="6" fill="var(--state-flight)" />
        <path class="trail" stroke="var(--state-done)" d="M160 74H134" />
        <circle cx="132" cy="74" r="6" fill="var(--state-done)" />
        <rect x="32" y="56" width="38" height="6" rx="3" fill="var(--sunken)" />
        <rect x="32" y="56" width="22" height="6" rx="3" fill="var(--cause-broker-queue)" />
    </> }
}

fn fanout_copies() -> Html {
    html! { <>
        { pipe("M56 58H96") }
        { pipe("M154 44C190 44 190 24 226 24M154 58H226M154 72C190 72 190 92 226 92") }
        { card(22, 42, 34, 32) }
        { card(94, 28, 62, 60) }
        { card(226, 10, 42, 28) }
        { card(226, 44, 42, 28) }
        { card(226, 78, 42, 28) }
        <circle cx="190" cy="34" r="5.2" fill="var(--state-flight)" />
        <circle cx="190" cy="58" r="5.2" fill="var(--state-flight)" />
        <circle cx="190" cy="82" r="5.2" fill="var(--state-flight)" />
        { cell(118, 36, 12) }
        { cell(118, 52, 12) }
        { cell(118, 68, 12) }
    </> }
}

fn lost_and_retried() -> Html {
    html! { <>
        { pipe("M70 66H218") }
        { card(24, 44, 46, 44) }
        { card(218, 44, 46, 44) }
        <g transform="translate(176 66) scale(1.3)">
            { cross() }
        </g>
        <path class="trail" stroke="var(--state-again)" d="M88 66H112" />
        <circle cx="114" cy="66" r="3.4" fill="var(--state-again)" />
        <circle cx="114" cy="66" r="6.4" fill="none" stroke="var(--state-again)"
            stroke-width="1.6" />
        <circle cx="47" cy="26" r="10" fill="none" stroke="var(--line-strong)" />
        <path d="M47 26V16A10 10 0 0 1 55 32Z" fill="var(--ink-3)" opacity=".5" />
    </> }
}
