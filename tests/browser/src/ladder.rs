//! The page of a scenario with TCP: the ladder, the chain of causes, what would have helped.

use crate::harness::{Page, Screen, visit};

/// What the ladder's table says of the stretch that is shown.
async fn rows(page: &Page) -> String {
    page.wait_idle().await;
    page.eval("document.querySelector('.ladder-twin').textContent").await.to_string()
}

/// Puts the focus on the ladder.
async fn focus(page: &Page) {
    page.wait_for(".ladder-view").await;
    page.eval("document.querySelector('.ladder-view').focus()").await;
}

#[test]
fn a_stall_shows_its_reason_before_time_has_passed() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/nagle-stall").await;
        page.wait_for(".reasons").await;
        let rows = rows(page).await;
        for text in ["Nagle holds 100 B", "delayed-ACK timer", "Client → Server"] {
            assert!(rows.contains(text), "{text} in {rows}");
        }
        assert!(page.text("#chosen-title").await.starts_with("Why was message"));
        assert!(page.text(".chain").await.contains("owed an ACK"));
        // Stage, ladder and reasons stand on one screen.
        let seen = "[...document.querySelectorAll('.stage, .ladder-view, .chain')]\
                    .every(e => e.getBoundingClientRect().top < innerHeight - 100)";
        assert_eq!(page.eval(seen).await, true);
        page.shot("ladder").await;
        page.assert_accessible().await;
        page.assert_quiet().await;
    });
}

#[test]
fn what_would_have_helped_is_measured_and_a_click_makes_it() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/nagle-stall").await;
        page.wait_for(".cures button").await;
        page.wait_idle().await;
        let cure = page.text(".cures button").await;
        assert!(cure.contains("1.0 ms"), "{cure}");
        page.click(".cures button").await;
        page.wait_until("location.hash.includes('nodelay=')").await;
        page.wait_until("!document.querySelector('.ladder-twin').textContent.includes('Nagle')")
            .await;
        page.assert_quiet().await;
    });
}

#[test]
fn keys_walk_from_segment_to_segment_zoom_and_fit() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/nagle-stall").await;
        page.wait_for(".reasons").await;
        let first = rows(page).await;
        focus(page).await;
        page.press("\u{e015}").await;
        page.wait_until("document.querySelector('.ladder-said').textContent.includes('leaves')")
            .await;
        for (key, back) in [("w", "s"), ("d", "a"), ("f", "f")] {
            page.press(key).await;
            assert_ne!(rows(page).await, first, "{key} shows another stretch");
            page.press(back).await;
            assert_eq!(rows(page).await, first, "{back} comes back");
        }
        page.assert_quiet().await;
    });
}

#[test]
fn the_segments_can_be_had_as_a_file() {
    visit(Screen::Desktop, async |page| {
        page.open("#v1/nagle-stall").await;
        page.wait_for(".reasons").await;
        // What would go to the disk is caught on its way.
        let watch = "window.taken = null; const make = URL.createObjectURL.bind(URL); \
                     URL.createObjectURL = blob => { window.taken = blob; return make(blob); }; 1";
        page.eval(&format!("(() => {{ {watch} }})()")).await;
        page.click(".ladder > header button:last-of-type").await;
        page.wait_until("window.taken !== null").await;
        let magic = "window.taken.slice(0, 4).arrayBuffer()\
                     .then(b => [...new Uint8Array(b)].join(' '))";
        assert_eq!(page.eval_async(magic).await, "10 13 13 10", "a section header block");
        page.assert_quiet().await;
    });
}

#[test]
fn a_phone_shows_the_ladder_in_the_first_tab() {
    visit(Screen::Phone, async |page| {
        page.open("#v1/nagle-stall").await;
        page.wait_for(".tabs").await;
        assert_eq!(page.text(".tabs [aria-pressed=true]").await, "Ladder");
        assert!(rows(page).await.contains("Nagle holds 100 B"));
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(page.eval(fits).await, true, "nothing sticks out to the right");
        page.shot("ladder-phone").await;
        page.assert_accessible().await;
        page.assert_quiet().await;
    });
}

#[test]
fn a_frame_shows_the_ladder_when_it_is_asked_for() {
    visit(Screen::Desktop, async |page| {
        page.open("?embed=1&show=ladder,transport&lang=zh#v1/nagle-stall").await;
        assert!(rows(page).await.contains("Nagle 扣住 100 B"));
        for absent in [".stage", ".knobs", ".ladder > header button:nth-of-type(4)"] {
            let count = format!("document.querySelectorAll('{absent}').length");
            assert_eq!(page.eval(&count).await, 0, "{absent}");
        }
        page.shot("ladder-embed").await;
        page.assert_quiet().await;
    });
}
