//! axe-core finds no violation, wherever a reader can go.

use crate::harness::{Screen, visit};

#[test]
fn the_main_page_in_both_themes_and_languages() {
    visit(Screen::Desktop, async |page| {
        for lang in ["en", "zh"] {
            for theme in ["light", "dark"] {
                page.open(&format!("?lang={lang}&theme={theme}#v1/competing-consumers?t=1s")).await;
                page.assert_accessible().await;
                page.shot(&format!("main-{lang}-{theme}")).await;
            }
        }
        page.assert_quiet().await;
    });
}

#[test]
fn gallery_and_sheets() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/mm1").await;
        for open in [".top button.help", ".top button[title=Share]"] {
            page.click(open).await;
            page.wait_for("dialog[open]").await;
            page.wait_idle().await;
            page.assert_accessible().await;
            page.click("dialog[open] h2 ~ button").await;
            page.wait_until("!document.querySelector('dialog[open]')").await;
        }
        page.press("g").await;
        page.wait_for(".gallery .cards").await;
        page.wait_idle().await;
        page.assert_accessible().await;
        page.shot("gallery").await;
    });
}

#[test]
fn a_phone_and_the_embed_mode() {
    visit(Screen::Phone, async |page| {
        for address in ["?lang=zh#v1/competing-consumers", "?embed=1#v1/competing-consumers"] {
            page.open(address).await;
            page.assert_accessible().await;
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(page.eval(fits).await, true, "{address}: nothing sticks out to the right");
        }
        page.open("?embed=1&show=stage,transport,knobs,charts,ledger,story#v1/mm1").await;
        page.assert_accessible().await;
        page.assert_quiet().await;
    });
}
