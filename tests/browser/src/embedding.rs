//! The course page with its two sandboxed frames.

use crate::harness::{Screen, visit};

#[test]
fn both_frames_of_the_course_page_play_in_their_sandbox() {
    visit(Screen::Desktop, async |page| {
        page.go(&format!("{}embed-demo.html", page.site)).await;
        // The second frame begins below the fold, where a sandboxed frame gets no animation frames.
        for (frame, lang) in
            [("article:first-child iframe", "en"), ("article:last-child iframe", "zh-Hans")]
        {
            page.enter_frame(frame).await;
            page.wait_idle().await;
            assert_eq!(page.eval("self.origin").await, "null", "the frame is sandboxed");
            assert_eq!(page.eval("document.documentElement.lang").await, lang);
            let before = page.text(".clock b").await;
            page.click("button.play").await;
            let moved = format!("document.querySelector('.clock b').textContent !== '{before}'");
            page.wait_until(&moved).await;
            page.click("button.play").await;
            page.wait_idle().await;
            page.leave_frame().await;
        }
        page.shot("embed-demo").await;
        page.assert_quiet().await;
    });
}

#[test]
fn the_course_page_itself_is_accessible_and_fits_a_phone() {
    visit(Screen::Phone, async |page| {
        page.go(&format!("{}embed-demo.html", page.site)).await;
        for frame in ["article:first-child iframe", "article:last-child iframe"] {
            page.enter_frame(frame).await;
            page.wait_idle().await;
            page.leave_frame().await;
        }
        page.assert_accessible().await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(page.eval(fits).await, true, "nothing sticks out to the right");
    });
}

#[test]
fn an_embedded_page_shows_only_what_the_address_asks_for() {
    visit(Screen::Desktop, async |page| {
        page.open("?embed=1&show=stage,transport#v1/mm1").await;
        for absent in ["header.top", "footer.ledger", "#knobs", ".tracks"] {
            let count = format!("document.querySelectorAll('{absent}').length");
            assert_eq!(page.eval(&count).await, 0, "{absent}");
        }
        page.wait_for(".stagebox canvas").await;
        page.wait_for("button.play").await;
    });
}
