//! Links, good and bad.

use crate::harness::{Screen, visit};

#[test]
fn bad_parts_of_a_link_are_named_and_the_rest_opens() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/mm1?seed=7&producer.rat=3/s&server.service=yes&t=1s").await;
        assert!(page.text(".clock b").await.starts_with("1.0"));
        let said = page.text(".notices").await;
        for part in ["producer.rat=3/s", "did you mean `rate`?", "server.service=yes"] {
            assert!(said.contains(part), "no word of {part} in: {said}");
        }
        page.assert_quiet().await;
    });
}

#[test]
fn an_unknown_preset_opens_something_and_says_so() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/mm2").await;
        let said = page.text(".notices").await;
        assert!(said.contains("mm2") && said.contains("mm1"), "{said}");
        page.wait_for("button.play").await;
        page.assert_quiet().await;
    });
}

#[test]
fn nothing_from_a_link_becomes_markup() {
    visit(Screen::Desktop, async |page| {
        let evil = "%3Cimg%20src%3Dx%20onerror%3D%22window.evil%3D1%22%3E";
        page.open(&format!("#v1/{evil}?{evil}={evil}&seed={evil}")).await;
        assert!(page.text(".notices").await.contains("<img"), "it is shown as the text it is");
        let found = "document.querySelectorAll('img').length + (window.evil ? 1 : 0)";
        assert_eq!(page.eval(found).await, 0);
        page.assert_quiet().await;
    });
}

#[test]
fn the_share_sheet_offers_a_link_that_opens_this_very_run() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/funnel?t=2s").await;
        let fingerprint = page.text(".fp code").await;
        page.click(".top button[title=Share]").await;
        page.wait_for("dialog[open] #share-link").await;
        let link = page.eval("document.querySelector('#share-link').value").await;
        let link = link.as_str().expect("a text field holds text").to_owned();
        assert!(link.starts_with(&page.site), "{link}");
        let embed = page.eval("document.querySelector('#share-embed').value").await;
        let embed = embed.as_str().expect("a text field holds text").to_owned();
        assert!(
            embed.contains("<iframe") && embed.contains("sandbox=\"allow-scripts\""),
            "{embed}"
        );
        page.assert_quiet().await;
        page.go(&link).await;
        page.wait_idle().await;
        assert_eq!(page.text(".fp code").await, fingerprint);
    });
}
