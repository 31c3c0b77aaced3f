//! What the sheet `lwipopts.h` shows of a file: the build check with its bar, and the tables.

use yew::prelude::*;

use crate::param::{Lang, Text};
use crate::view::build_check::{Checked, Owner};
use crate::view::draw::Pattern;
use crate::view::lwipopts::{Other, Row};
use crate::view::numbers::count;
use crate::view::words::fill;

const BUILD: Text = Text::new("Build check", "构建检查");
const RAM: Text = Text::new(
    "RAM for the network: {0} of {1} B that the DMA of the {2} reaches; lwIP alone {3} B. \
     Variables and stack of your program come on top.",
    "网络占用 RAM：{0} B，{2} 的 DMA 可达 {1} B；仅 lwIP 为 {3} B。你程序自己的变量和栈另计。",
);
const UNDERSTOOD: Text = Text::new("Understood: {0}", "已识别：{0}");
const OPTION: Text = Text::new("Option", "选项");
const PLACE: Text = Text::new("Where", "位置");
const NOW: Text = Text::new("Now", "当前");
const NEW: Text = Text::new("New", "新值");
const INVENTED: Text =
    Text::new("No options of lwIP, and without effect: {0}", "lwIP 没有且不起作用的选项：{0}");
const LISTED: Text = Text::new("Other definitions: {0}", "其他定义：{0}");

/// Verdict, messages of the tools, and the bar of the memory.
pub fn built(checked: &Checked, lang: Lang) -> Html {
    let tone = if checked.builds { "notice good" } else { "notice bad" };
    html! {
        <section class="built" aria-labelledby="built-title">
            <h3 id="built-title">{ BUILD.get(lang) }</h3>
            <div class={tone}><div>{ &checked.verdict }</div></div>
            { for checked.messages.iter().map(|message| html! {
                <div class="said">
                    <code lang="en">{ &message.text }</code>
                    { for message.about.iter().map(|about| html! { <p class="dim">{ about }</p> }) }
                </div>
            }) }
            if 0 < checked.reach_bytes { { memory(checked, lang) } }
        </section>
    }
}

/// The bar by owner against what the DMA reaches, and its table.
fn memory(checked: &Checked, lang: Lang) -> Html {
    let whole = checked.ram_bytes.max(checked.reach_bytes).max(1) as f64;
    let percent = |bytes: u64| format!("{:.3}%", bytes as f64 * 100.0 / whole);
    let mut at = 0;
    let parts = checked.ram.iter().map(|(owner, bytes)| {
        let x = percent(at);
        at += bytes;
        piece(*owner, x, percent(*bytes), "16")
    });
    let parts: Vec<Html> = parts.collect();
    let reach = percent(checked.reach_bytes);
    let sum = [checked.ram_bytes, checked.reach_bytes, checked.lwip_bytes].map(count);
    html! {
        <>
            <p>{ fill(RAM, lang, &[&sum[0], &sum[1], checked.part, &sum[2]]) }</p>
            <svg class="budget" aria-hidden="true">
                <rect width={reach.clone()} height="16" fill="var(--sunken)" />
                { for parts }
                <line x1={reach.clone()} x2={reach} y1="0" y2="16" stroke="var(--bad-ink)"
                    stroke-width="3" />
            </svg>
            <table class="rows"><tbody>
                { for checked.ram.iter().map(|(owner, bytes)| html! {
                    <tr>
                        <th scope="row">
                            <svg class="sw" width="12" height="12" aria-hidden="true">
                                { piece(*owner, "0".into(), "12".into(), "12") }
                            </svg>
                            { owner.text().get(lang) }
                        </th>
                        <td>{ format!("{} B", count(*bytes)) }</td>
                    </tr>
                }) }
            </tbody></table>
        </>
    }
}

fn piece(owner: Owner, x: String, width: String, height: &'static str) -> Html {
    let (ink, pattern) = owner.look();
    let pattern = match pattern {
        Pattern::Solid => None,
        Pattern::Hatch => Some("url(#p-hatch)"),
        Pattern::Dots => Some("url(#p-dots)"),
        Pattern::Lines => Some("url(#p-lines)"),
    };
    html! {
        <>
            <rect x={x.clone()} width={width.clone()} {height}
                fill={format!("var(--{})", ink.name())} />
            if let Some(pattern) = pattern {
                <rect {x} {width} {height} fill={pattern} opacity=".75" />
            }
        </>
    }
}

/// The options that become parameters.
pub fn rows(rows: &[Row], lang: Lang) -> Html {
    let n = rows.len().to_string();
    html! {
        <details class="more" open=true>
            <summary>{ fill(UNDERSTOOD, lang, &[&n]) }</summary>
            <div class="scrolls">
                <table class="rows">
                    <thead><tr>
                        <th scope="col">{ OPTION.get(lang) }</th>
                        <th scope="col">{ PLACE.get(lang) }</th>
                        <td>{ NOW.get(lang) }</td>
                        <td>{ NEW.get(lang) }</td>
                    </tr></thead>
                    <tbody>
                        { for rows.iter().map(|row| html! {
                            <tr class={row.before.is_some().then_some("changed")}>
                                <th scope="row"><code>{ row.option }</code></th>
                                <th class="dim">{ &row.place }</th>
                                <td>{ row.before.as_ref().unwrap_or(&row.value) }</td>
                                <td>{ row.before.as_ref().map(|_| &row.value) }</td>
                            </tr>
                        }) }
                    </tbody>
                </table>
            </div>
        </details>
    }
}

/// Definitions that become no parameter, each with what becomes of it.
pub fn others(list: &[Other], lang: Lang, invented: bool) -> Html {
    if list.is_empty() {
        return Html::default();
    }
    let title = if invented { INVENTED } else { LISTED };
    html! {
        <details class="more" open={invented}>
            <summary>{ fill(title, lang, &[&list.len().to_string()]) }</summary>
            <ul class="others">
                { for list.iter().map(|other| html! {
                    <li>
                        <code>{ &other.name }</code>{ " " }
                        <span class="dim">{ &other.line }</span>
                        <p>{ other.why }</p>
                    </li>
                }) }
            </ul>
        </details>
    }
}
