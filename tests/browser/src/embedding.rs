//! The course page with its two sandboxed frames.

use crate::harness::{Screen, visit};

#[test]
fn both_frames_of_the_course_page_come_up_in_their_sandbox() {
    visit(Screen::Desktop, async |page| {
        page.go(&format!("{}embed-demo.html", page.site)).await;
        // The second frame begins below the fold, where a sandboxed frame gets no animation frames.
        for frame in ["article:first-child iframe", "article:last-child iframe"] {
            page.enter_frame(frame).await;
            page.wait_idle().await;
            assert_eq!(page.eval("self.origin").await, "null", "the frame is sandboxed");
            page.leave_frame().await;
        }
        page.assert_quiet().await;
    });
}

#[test]
fn the_course_page_itself_is_accessible_and_fits_a_phone() {
    visit(Screen::Phone, async |page| {
        page.go(&format!("{}embed-demo.html", page.site)).await;
        page.assert_accessible().await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(page.eval(fits).await, true, "nothing sticks out to the right");
    });
}
