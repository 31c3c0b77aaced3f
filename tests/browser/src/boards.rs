//! Boards: the drawing on the stage, and the sheet `lwipopts.h`.

use crate::harness::{Page, Screen, visit};

const BOARD: &str = "#v1/two-boards";

/// Opens the sheet of the first board.
async fn open_sheet(page: &Page, address: &str) {
    page.open(address).await;
    page.eval("document.querySelector('.stage-objects button').click()").await;
    // On a phone what is chosen stands behind the last tab but one.
    page.eval(
        "[...document.querySelectorAll('.tabs button')].slice(-2, -1).forEach(t => t.click())",
    )
    .await;
    page.wait_for("button.options").await;
    page.click("button.options").await;
    page.wait_for("#lwipopts").await;
}

/// Puts a text into the field, as typing or pasting does.
async fn paste(page: &Page, text: &str) {
    page.eval(&format!(
        "(() => {{ const field = document.querySelector('#lwipopts'); field.value = {text}; \
         field.dispatchEvent(new InputEvent('input', {{ bubbles: true }})); return 1; }})()"
    ))
    .await;
}

#[test]
fn a_pasted_file_becomes_parameters_that_a_link_carries() {
    visit(Screen::Desktop, async |page| {
        open_sheet(page, BOARD).await;
        paste(
            page,
            "'/* mine */\\n#define TCP_MSS 1000 // less\\n#define MEM_SIZE (3 * TCP_MSS)\\n'",
        )
        .await;
        page.wait_until("document.querySelector('#lwipopts-use').disabled === false").await;
        page.click("#lwipopts-use").await;
        page.wait_until("document.querySelector('#lwipopts-use').disabled === true").await;
        page.wait_until("/tcp-mss=1kB/.test(location.hash) && /mem-size=3kB/.test(location.hash)")
            .await;
        // What is written back keeps the comments, and says what the scenario has.
        page.click("#lwipopts-write").await;
        let text = page.eval("document.querySelector('#lwipopts').value").await;
        let text = text.as_str().expect("a text").to_owned();
        assert!(text.starts_with("/* mine */\n#define TCP_MSS 1000 // less\n"), "{text}");
        page.reload().await;
        let knobs = page
            .eval(
                "document.querySelector('#knob-board-a-tcp-mss') !== null || \
                               location.hash.includes('tcp-mss=1kB')",
            )
            .await;
        assert_eq!(knobs, true);
        open_sheet(page, &page.address().await).await;
        let again = page.eval("document.querySelector('#lwipopts').value").await;
        let again = again.as_str().expect("a text").to_owned();
        assert!(again.contains("#define TCP_MSS 1000"), "{again}");
        assert!(again.contains("#define MEM_SIZE 3000"), "{again}");
        page.assert_quiet().await;
    });
}

#[test]
fn a_value_out_of_range_and_an_invention_are_named_and_markup_stays_text() {
    visit(Screen::Phone, async |page| {
        open_sheet(page, &format!("?lang=zh{BOARD}")).await;
        paste(
            page,
            "'#define TCP_MSS 9000\\n#define LWIP_TCP_NODELAY 1\\n\
             #define X \"<img src=x onerror=window.hit=1>\"\\n'",
        )
        .await;
        page.wait_until(
            "/第 1 行：TCP_MSS：不允许“9000”/.test(document.querySelector('.problems').textContent)",
        )
        .await;
        page.wait_until("/tcp_nagle_disable/.test(document.querySelector('.others').textContent)")
            .await;
        assert_eq!(page.eval("document.querySelectorAll('dialog img').length").await, 0);
        assert_eq!(page.eval("window.hit === undefined").await, true);
        let wide = page.eval("document.querySelector('.sheet .body').scrollWidth <= 390").await;
        assert_eq!(wide, true, "the sheet fits a phone");
        page.assert_quiet().await;
    });
}

#[test]
fn a_megabyte_of_rubbish_is_refused_at_once() {
    visit(Screen::Desktop, async |page| {
        open_sheet(page, BOARD).await;
        for rubbish in [
            "'x<>(&'.repeat(210000)",
            "'/*'.repeat(120000)",
            "'#define TCP_MSS ' + '('.repeat(200000)",
            "'#if 1\\n'.repeat(40000)",
        ] {
            let began = page.eval("performance.now()").await.as_f64().expect("a time");
            paste(page, rubbish).await;
            page.wait_until("document.querySelector('.problems').textContent.length > 5").await;
            let took = page.eval("performance.now()").await.as_f64().expect("a time") - began;
            assert!(took < 10_000.0, "{rubbish} took {took} ms");
        }
        page.assert_quiet().await;
    });
}

#[test]
fn the_articles_set_stops_the_compiler_and_its_claims_are_called_claims() {
    visit(Screen::Desktop, async |page| {
        open_sheet(page, BOARD).await;
        page.eval(
            "(() => { const s = document.querySelector('#lwipopts-sample'); s.value = '2'; \
             s.dispatchEvent(new Event('change', { bubbles: true })); return 1; })()",
        )
        .await;
        page.wait_until(
            "/#error \"MEM_USE_POOLS requires custom pools/\
             .test(document.querySelector('.said code').textContent)",
        )
        .await;
        let claims = page.text(".claims").await;
        assert!(claims.contains("11.4 ms") && claims.contains("10.0 ms"), "{claims}");
        page.wait_until(
            "/not simulated/.test(document.querySelector('#claims-title').parentElement.textContent)",
        )
        .await;
        page.assert_quiet().await;
    });
}

#[test]
fn a_search_finds_less_memory_and_the_proof_is_a_link() {
    visit(Screen::Desktop, async |page| {
        open_sheet(page, BOARD).await;
        page.click("#size-start").await;
        page.wait_for("#size-proof").await;
        let link = page.eval("document.querySelector('#size-proof').hash").await;
        let link = link.as_str().expect("a link").to_owned();
        assert!(link.contains("mem-size=") && link.contains("t="), "{link}");
        page.click("#size-use").await;
        page.wait_until("/mem-size=/.test(location.hash)").await;
        page.assert_quiet().await;
    });
}

/// Colours on the front canvas where the board is: more than the ground's.
const PAINTED: &str = "(() => { const c = document.querySelector('.stage-front'); \
    const h = c.height / 2; \
    const d = c.getContext('2d').getImageData(0, h, c.width, h).data; \
    const seen = new Set(); for (let i = 0; i < d.length; i += 4 * 97) \
    seen.add(d[i] + ',' + d[i + 1] + ',' + d[i + 2]); return seen.size; })()";

#[test]
fn the_board_is_drawn_and_told() {
    for screen in [Screen::Desktop, Screen::Phone] {
        visit(screen, async |page| {
            page.open(&format!("{BOARD}?t=300ms")).await;
            page.wait_until(&format!("12 < {PAINTED}")).await;
            let tall = page.eval("document.querySelector('.stage-front').clientHeight").await;
            assert!(450 < tall.as_u64().expect("a height"), "{tall}");
            page.wait_until("/STM32F407/.test(document.querySelector('.stage-twin').textContent)")
                .await;
            page.assert_quiet().await;
        });
    }
}
