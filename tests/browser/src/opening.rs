//! The page opens.

use crate::harness::{Screen, visit};

#[test]
fn the_page_opens_without_complaint_and_asks_nobody_else() {
    visit(Screen::Desktop, async |page| {
        page.open("").await;
        let requests = page.requests().await;
        let has = |part: &str| requests.iter().filter(|url| url.contains(part)).count();
        assert_eq!(has("inflight_bg."), 1, "the wasm is fetched once: {requests:#?}");
        assert_eq!(has("favicon"), 0, "{requests:#?}");
        page.open("").await;
        page.assert_quiet().await;
    });
}

#[test]
fn the_page_opens_on_a_phone() {
    visit(Screen::Phone, async |page| {
        page.open("").await;
        page.assert_quiet().await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(page.eval(fits).await, true, "nothing sticks out to the right");
    });
}
