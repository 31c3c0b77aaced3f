//! The sheet of guarantees: what should be and what is, which messages went wrong, which promises
//! hold, and *crash everywhere*.

use std::rc::Rc;

use yew::prelude::*;

use crate::model::MsgId;
use crate::observe::{Entry, Guarantee, Verdict};
use crate::param::{Lang, Text};
use crate::view::draw::Glyph;
use crate::view::findings::{Findings, FoundLine};
use crate::view::{Chosen, everywhere as words, numbers};
use crate::web::act::Act;
use crate::web::bench::{self, Shown};
use crate::web::icons::{Icon, glyph, sized};
use crate::web::lab::{Lab, LabHandle};
use crate::web::readout::{Guarantees, IdList, InShort, Promise};
use crate::web::sheet::SheetFrame;
use crate::web::shell::Sheet;

const TITLE: Text = Text::new("Guarantees", "可靠性保证");
const KEPT: Text = Text::new("kept", "守住");
const BROKEN: Text = Text::new("broken", "打破");
const OPEN: Text = Text::new("open", "未定");
const PROMISED: Text = Text::new("promised", "已承诺");
const BOOK: Text = Text::new("Account book", "账本");
const BOOK_HELP: Text = Text::new(
    "Each message credits an account with 1 to 9 coins when it takes effect.",
    "每条消息生效时给账户记入 1 至 9 枚硬币。",
);
const HOLDS: Text = Text::new("What holds at this instant", "此刻守住了什么");
const WENT_WRONG: Text = Text::new("Messages that went wrong", "出了问题的消息");
const EVERYTHING: Text = Text::new("Crash everywhere", "处处故障");
const HELP: Text = Text::new(
    "Runs the scenario once for every place at which something can go wrong: each process crashes \
     and comes back after 100 ms, each message or acknowledgement is lost.",
    "对每个可能出错之处各运行一次：每个进程崩溃并在 100 ms 后恢复，每条消息或确认丢失一次。",
);
const START: Text = Text::new("Break it everywhere", "开始");
const AGAIN: Text = Text::new("Again", "重新运行");
const CANCEL: Text = Text::new("Cancel", "取消");
const COUNTING: Text = Text::new("Counting the places…", "正在统计位置……");
const GUARANTEE: Text = Text::new("guarantee", "保证");
const BROKEN_IN: Text = Text::new("broken in", "打破次数");
const SMALLEST: Text = Text::new("smallest case", "最小一例");
const ALONE: Text = Text::new("without any fault", "无故障也打破");
const NEVER: Text = Text::new("never", "从未");

/// What the sheet shows of the laboratory; but for the promises nothing, while it is closed.
pub fn read(lab: &Lab) -> Guarantees {
    let (session, lang) = (&lab.session, lab.shell.lang);
    let seen = &session.seen().guarantees;
    let is_over = session.finished();
    let promises = &session.scenario().promises;
    let verdicts = || promises.iter().map(|promise| seen.verdict(*promise, is_over));
    let in_short = InShort {
        n_promises: promises.len() as u32,
        n_broken: verdicts().filter(Verdict::is_broken).count() as u32,
        is_open: verdicts().any(|verdict| verdict == Verdict::Open),
    };
    if lab.shell.sheet != Sheet::Guarantees {
        return Guarantees { in_short, ..Guarantees::default() };
    }
    let promise = |guarantee: Guarantee| {
        let verdict = seen.verdict(guarantee, is_over);
        Promise {
            name: guarantee.text().get(lang).to_owned(),
            is_promised: promises.contains(&guarantee),
            verdict,
            words: words::verdict(&verdict, lang),
        }
    };
    let book = &seen.book;
    let coins = [
        (Text::new("expected", "应有"), book.expected),
        (Text::new("actual", "实有"), book.actual),
        (Text::new("lost", "丢失"), book.lost),
        (Text::new("under way", "在途"), book.under_way()),
        (Text::new("credited again", "重复记账"), book.twice),
    ];
    Guarantees {
        in_short,
        all: Guarantee::ALL.into_iter().map(promise).collect(),
        book: coins.map(|(name, n)| (name.get(lang).to_owned(), n)).to_vec(),
        lists: lists(lab, lang),
        search: lab.bench.shown(),
    }
}

fn lists(lab: &Lab, lang: Lang) -> Vec<IdList> {
    let ledger = &lab.session.seen().ledger;
    let about = |entry: &Entry| {
        let at = numbers::instant(entry.at);
        match entry.why {
            Some(why) => format!("{at} · {}", why.text().get(lang)),
            None => at,
        }
    };
    let all = [
        (Text::new("lost", "丢失"), &ledger.newest_lost, ledger.lost),
        (Text::new("done twice", "重复处理"), &ledger.newest_duplicated, ledger.duplicated),
        (Text::new("out of order", "乱序"), &ledger.newest_reordered, ledger.reordered),
        (Text::new("redelivered", "重新投递"), &ledger.newest_redelivered, ledger.redelivered),
    ];
    let some = all.into_iter().filter(|(_, _, count)| *count != 0);
    some.map(|(title, list, count)| IdList {
        title: title.get(lang).to_owned(),
        ids: list.iter().map(|entry| (entry.msg.0, about(entry))).collect(),
        n_before: count - list.len() as u64,
    })
    .collect()
}

/// The button of the ledger bar: the promises in short.
pub fn button(lab: &LabHandle, lang: Lang, short: InShort) -> Html {
    let lab = lab.clone();
    let onclick = Callback::from(move |_: MouseEvent| lab.act(Act::Sheet(Sheet::Guarantees)));
    let badge = match short {
        InShort { n_promises: 0, .. } => Html::default(),
        InShort { n_broken: 0, is_open, .. } => {
            let verdict = if is_open { Verdict::Open } else { Verdict::Kept };
            badge_of(&verdict, if is_open { OPEN } else { KEPT }.get(lang))
        }
        InShort { n_broken, .. } => {
            let verdict = Verdict::Broken { count: u64::from(n_broken), first: None };
            badge_of(&verdict, BROKEN.get(lang))
        }
    };
    html! {
        <button type="button" class="btn line small guarantees" {onclick}>
            { TITLE.get(lang) }{ badge }
        </button>
    }
}

fn badge_of(verdict: &Verdict, words: &str) -> Html {
    let (class, shape) = match verdict {
        Verdict::Kept => ("kept", Some(Icon::Check)),
        Verdict::Open => ("open", None),
        Verdict::Broken { .. } => ("broken", Some(Icon::Close)),
    };
    html! {
        <span class={classes!("badge", class)}>
            { for shape.map(|shape| sized(shape, "12", classes!())) }{ words }
        </span>
    }
}

/// Properties of [`GuaranteesSheet`].
#[derive(Properties, PartialEq)]
pub struct GuaranteesProps {
    /// The laboratory.
    pub lab: LabHandle,
    /// The language.
    pub lang: Lang,
    /// What it shows.
    pub shown: Rc<Guarantees>,
}

/// The sheet.
#[component]
pub fn GuaranteesSheet(props: &GuaranteesProps) -> Html {
    let GuaranteesProps { lab, lang, shown } = props;
    let lang = *lang;
    let promise = |promise: &Promise| {
        html! {
            <li>
                { badge_of(&promise.verdict, &promise.words) }
                <span>{ &promise.name }</span>
                if promise.is_promised { <em>{ PROMISED.get(lang) }</em> }
            </li>
        }
    };
    let coins = |(name, n): &(String, u64)| {
        html! { <div><dt>{ name }</dt><dd>{ numbers::count(*n) }</dd></div> }
    };
    html! {
        <SheetFrame lab={lab.clone()} {lang} title={TITLE} class="wide guarantees">
            <section>
                <h3>{ HOLDS.get(lang) }</h3>
                <ul class="holds">{ for shown.all.iter().map(promise) }</ul>
            </section>
            <section>
                <h3>{ BOOK.get(lang) }</h3>
                <p>{ BOOK_HELP.get(lang) }</p>
                <dl class="book">{ for shown.book.iter().map(coins) }</dl>
            </section>
            if !shown.lists.is_empty() {
                <section>
                    <h3>{ WENT_WRONG.get(lang) }</h3>
                    { for shown.lists.iter().map(|list| ids(lab, lang, list)) }
                </section>
            }
            <section class="everywhere">
                <h3>{ EVERYTHING.get(lang) }</h3>
                <p>{ HELP.get(lang) }</p>
                { search(lab, lang, &shown.search) }
            </section>
        </SheetFrame>
    }
}

/// Messages of one kind, each to be chosen.
fn ids(lab: &LabHandle, lang: Lang, list: &IdList) -> Html {
    let one = |(id, about): &(u64, String)| {
        let (lab, msg) = (lab.clone(), MsgId(*id));
        let onclick = Callback::from(move |_: MouseEvent| {
            lab.act(Act::Sheet(Sheet::None));
            lab.act(Act::Choose(Chosen::Message(msg)));
        });
        html! {
            <button type="button" class="btn line small" title={about.clone()} {onclick}>
                { id }
            </button>
        }
    };
    let before = match (list.n_before, lang) {
        (0, _) => String::new(),
        (n, Lang::En) => format!("before them: {}", numbers::count(n)),
        (n, Lang::Zh) => format!("此前还有 {} 条", numbers::count(n)),
    };
    html! {
        <div class="ids">
            <b>{ &list.title }{ " " }{ numbers::count(list.ids.len() as u64 + list.n_before) }</b>
            { for list.ids.iter().map(one) }
            <span>{ before }</span>
        </div>
    }
}

/// The search: to be started, under way, or over.
fn search(lab: &LabHandle, lang: Lang, shown: &Shown) -> Html {
    let starter = lab.clone();
    let start = Callback::from(move |_: MouseEvent| bench::start(&starter));
    let canceller = lab.clone();
    let cancel = Callback::from(move |_: MouseEvent| canceller.act(Act::CancelBench));
    match shown {
        Shown::Rest => html! {
            <button type="button" class="btn primary start" onclick={start}>
                { START.get(lang) }
            </button>
        },
        Shown::Working(progress) => {
            let (done, total) = (progress.done.to_string(), progress.total.max(1).to_string());
            let words = match (progress.total, lang) {
                (0, _) => COUNTING.get(lang).to_owned(),
                (_, Lang::En) => format!("{done} of {total} runs"),
                (_, Lang::Zh) => format!("{done} / {total} 次运行"),
            };
            html! {
                <div class="acts" role="status">
                    <progress max={total} value={done} aria-label={EVERYTHING.get(lang)}></progress>
                    <span>{ words }</span>
                    <button type="button" class="btn line cancel" onclick={cancel}>
                        { CANCEL.get(lang) }
                    </button>
                </div>
            }
        }
        Shown::Done(found) => html! {
            <>
                { table(lab, lang, found) }
                <button type="button" class="btn line again" onclick={start}>
                    { AGAIN.get(lang) }
                </button>
            </>
        },
    }
}

fn table(lab: &LabHandle, lang: Lang, found: &Findings) -> Html {
    html! {
        <>
            <p role="status">{ found.tried.get(lang) }</p>
            <div class="scroll" tabindex="0" role="region" aria-label={EVERYTHING.get(lang)}>
            <table>
                <thead><tr>
                    <th scope="col">{ GUARANTEE.get(lang) }</th>
                    <th scope="col">{ BROKEN_IN.get(lang) }</th>
                    <th scope="col">{ SMALLEST.get(lang) }</th>
                </tr></thead>
                <tbody>{ for found.lines.iter().map(|line| row(lab, lang, line)) }</tbody>
            </table>
            </div>
        </>
    }
}

/// One guarantee: in how many runs it broke, by what, and the smallest of them.
fn row(lab: &LabHandle, lang: Lang, line: &FoundLine) -> Html {
    let lab = lab.clone();
    let onclick = Callback::from(move |_: MouseEvent| lab.act(Act::Sheet(Sheet::None)));
    let is_broken = line.breaks_alone || line.n_broken != 0;
    let class = match (line.is_promised, is_broken) {
        (true, true) => "broken",
        (true, false) => "kept",
        (false, _) => "",
    };
    let part = |part: &crate::view::findings::FoundPart| {
        let (n, of) = (numbers::count(part.n_broken), numbers::count(part.n_runs));
        html! { <li>{ part.what.get(lang) }<span>{ format!("{n} / {of}") }</span></li> }
    };
    html! {
        <tr {class}>
            <th scope="row">
                { line.guarantee.text().get(lang) }
                if line.is_promised { <em>{ PROMISED.get(lang) }</em> }
            </th>
            <td>
                if line.breaks_alone {
                    { ALONE.get(lang) }
                } else if line.n_broken == 0 {
                    { glyph(Glyph::Done, "14") }{ NEVER.get(lang) }
                } else {
                    <b>{ numbers::count(line.n_broken) }</b>
                    <ul>{ for line.parts.iter().map(part) }</ul>
                }
            </td>
            <td>
                if let Some((harm, link)) = &line.example {
                    <a href={link.clone()} {onclick}>{ harm.get(lang) }</a>
                }
            </td>
        </tr>
    }
}
