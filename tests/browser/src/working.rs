//! What a reader does: step, scrub, change, share, come back.

use crate::harness::{Page, Screen, visit};
use thirtyfour::prelude::Key;

/// Where the run stands: the shown instant and the fingerprint of all before it.
async fn standing(page: &Page) -> (String, String) {
    page.wait_idle().await;
    (page.text(".clock b").await, page.text(".fp code").await)
}

/// Waits until the run stands elsewhere than at `before`, and says where.
async fn standing_after(page: &Page, before: &(String, String)) -> (String, String) {
    let moved = format!(
        "document.querySelector('.fp code').textContent !== '{}' && \
         document.documentElement.hasAttribute('data-idle')",
        before.1
    );
    page.wait_until(&moved).await;
    standing(page).await
}

#[test]
fn stepping_back_comes_to_the_same_fingerprint() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/competing-consumers").await;
        let mut path = vec![standing(page).await];
        for _ in 0..12 {
            page.click("button.fwd").await;
            path.push(standing_after(page, &path[path.len() - 1]).await);
        }
        while let Some(here) = path.pop() {
            assert_eq!(standing(page).await, here);
            if !path.is_empty() {
                page.click("button.back").await;
                standing_after(page, &here).await;
            }
        }
        page.assert_quiet().await;
    });
}

#[test]
fn a_moved_slider_is_in_the_link_and_survives_a_reload() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/mm1").await;
        let slider = page.wait_for("#knob-producer-rate").await;
        for _ in 0..5 {
            slider.send_keys(Key::Right).await.expect("the slider takes keys");
        }
        page.wait_until("location.hash.includes('producer.rate=')").await;
        let words = slider.attr("aria-valuetext").await.expect("the page answers");
        page.click("button.play").await;
        page.wait_until("document.querySelector('.ledger dd').textContent.trim() > '3'").await;
        page.click("button.play").await;
        let before = standing(page).await;
        page.wait_until("/[?&]f=[0-9a-f]{8}/.test(location.hash)").await;
        let address = page.address().await;
        assert!(address.len() < 120, "a tweaked preset has a short link: {address}");
        page.reload().await;
        assert_eq!(standing(page).await, before, "after {address}");
        page.wait_for(".fp svg.ok").await;
        let again = page.wait_for("#knob-producer-rate").await;
        assert_eq!(again.attr("aria-valuetext").await.expect("the page answers"), words);
        page.assert_quiet().await;
    });
}

#[test]
fn the_language_changes_while_the_run_stays_where_it_is() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/competing-consumers").await;
        page.click("button.fwd").await;
        page.click("button.fwd").await;
        let before = standing(page).await;
        let title = page.eval("document.title").await;
        page.press("l").await;
        page.wait_until("document.documentElement.lang === 'zh-Hans'").await;
        page.wait_until("/[\\u4e00-\\u9fff]/.test(document.querySelector('h1').textContent)").await;
        assert_eq!(standing(page).await, before);
        assert_ne!(page.eval("document.title").await, title);
        page.press("l").await;
        page.wait_until("document.documentElement.lang === 'en'").await;
        assert_eq!(standing(page).await, before);
        assert_eq!(page.eval("document.title").await, title);
        page.assert_quiet().await;
    });
}

#[test]
fn a_consumer_crashed_by_hand_is_in_the_link() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/competing-consumers?t=1s").await;
        let crash = "[...document.querySelectorAll('.stage-objects button')]\
                     .find(b => b.textContent.includes('Crash'))";
        page.wait_until(&format!("!!{crash}")).await;
        page.eval(&format!("{crash}.click()")).await;
        page.wait_until("/do=1s:crash:/.test(location.hash)").await;
        page.click("button.fwd").await;
        let before = standing(page).await;
        page.wait_until("/[?&]f=[0-9a-f]{8}/.test(location.hash)").await;
        page.reload().await;
        assert_eq!(standing(page).await, before);
        page.assert_quiet().await;
    });
}

#[test]
fn back_and_forward_move_between_scenarios() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/mm1").await;
        let first = page.text("h1").await;
        page.press("g").await;
        page.click(".gallery .cards a, .gallery .cards button").await;
        page.wait_for(".page button.play").await;
        page.wait_idle().await;
        let second = page.text("h1").await;
        assert_ne!(first, second);
        let shows = |title: &str| format!("document.querySelector('h1').textContent === '{title}'");
        for _ in 0..5 {
            if page.text("h1").await == first {
                break;
            }
            page.eval("history.back()").await;
            page.wait_idle().await;
        }
        page.wait_until(&shows(&first)).await;
        page.assert_quiet().await;
    });
}

#[test]
fn reduced_motion_turns_play_into_the_next_event() {
    visit(Screen::Desktop, async |page| {
        page.set_media(&[("prefers-reduced-motion", "reduce")]).await;
        page.open("#v1/first-message").await;
        assert!(page.text("button.play").await.to_lowercase().contains("next"));
        let before = standing(page).await;
        page.click("button.play").await;
        let after = standing_after(page, &before).await;
        assert_ne!(after.0, before.0);
        page.wait_idle().await;
        assert_eq!(standing(page).await, after, "nothing moves by itself");
    });
}

#[test]
fn consumers_and_partitions_come_and_go_by_buttons_and_the_link_knows() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/hot-partition?t=2s").await;
        let row = |n: u8| format!("#knobs .stepper:nth-of-type({n})");
        let value = async |n: u8| page.text(&format!("{} output", row(n))).await;
        assert_eq!(value(1).await, "4");
        let before = standing(page).await;
        // By the keyboard: the second button of the row is one more.
        let more = page.wait_for(&format!("{} button:last-of-type", row(1))).await;
        more.send_keys(Key::Enter).await.expect("the button takes keys");
        let more = standing_after(page, &before).await;
        assert_eq!(value(1).await, "5");
        let partitions: u32 = value(2).await.parse().expect("a number");
        page.click(&format!("{} button:last-of-type", row(2))).await;
        let grown = standing_after(page, &more).await;
        assert_eq!(value(2).await, (partitions + 1).to_string());
        page.click(&format!("{} button:first-of-type", row(1))).await;
        let less = standing_after(page, &grown).await;
        assert_eq!(value(1).await, "4 / 5");
        let why = page.text(&format!("{} p", row(2))).await;
        assert!(why.contains("only grow"), "{why}");
        page.wait_until(
            "location.hash.includes('consumer.count=5') && /[?&]f=/.test(location.hash)",
        )
        .await;
        page.reload().await;
        assert_eq!(standing(page).await, less, "after {}", page.address().await);
        page.assert_quiet().await;
    });
}
