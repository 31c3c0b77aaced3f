//! The sheet of guarantees: what went wrong can be chosen, and everything can be broken.

use crate::harness::{Page, Screen, visit};

/// Opens the sheet of a run at its end.
async fn open_sheet(page: &Page, link: &str) {
    page.open(link).await;
    page.wait_idle().await;
    page.click(".ledger .btn.guarantees").await;
    page.wait_for("dialog.guarantees .holds li").await;
}

#[test]
fn a_lost_message_is_listed_and_tells_its_story() {
    visit(Screen::Desktop, async |page| {
        open_sheet(page, "#v1/at-most-once?t=10s").await;
        let first = page.text("dialog.guarantees .ids b").await;
        assert_eq!(first, "lost 101");
        let id = page.text("dialog.guarantees .ids .btn").await;
        page.click("dialog.guarantees .ids .btn").await;
        page.wait_until("!document.querySelector('dialog')").await;
        page.wait_until(&format!(
            "[...document.querySelectorAll('.side h2, .side h3')].some(h => h.textContent.includes('{id}'))"
        ))
        .await;
        page.assert_quiet().await;
    });
}

#[test]
fn everything_is_broken_in_a_worker_and_the_smallest_case_opens() {
    visit(Screen::Desktop, async |page| {
        open_sheet(page, "#v1/at-least-once-duplicate?producer.limit=6").await;
        page.click(".everywhere .start").await;
        page.wait_for(".everywhere table").await;
        let broken = page.eval("document.querySelectorAll('.everywhere tr.broken').length").await;
        assert_eq!(broken, 0, "what it promises holds");
        page.assert_accessible().await;
        let requests = page.requests().await;
        assert!(requests.iter().any(|url| url.contains("worker.")), "{requests:?}");
        page.click(".everywhere td a").await;
        page.wait_until("location.hash.includes('lose:path:back')").await;
        page.wait_until("!document.querySelector('dialog')").await;
        page.wait_idle().await;
        page.wait_until("document.querySelectorAll('.ledger .minor dd')[0].textContent === '1'")
            .await;
        page.assert_quiet().await;
    });
}

#[test]
fn the_search_can_be_cancelled_and_begun_again() {
    visit(Screen::Phone, async |page| {
        page.open("#v1/exactly-once-producer-id").await;
        page.wait_idle().await;
        page.eval("document.querySelector('.ledger .btn.guarantees').click()").await;
        page.wait_for("dialog.guarantees .start").await;
        page.click(".everywhere .start").await;
        page.wait_for(".everywhere progress").await;
        page.click(".everywhere .cancel").await;
        page.wait_for(".everywhere .start").await;
        page.assert_quiet().await;
    });
}
