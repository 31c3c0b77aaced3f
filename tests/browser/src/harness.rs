//! One browser session for one test, and what tests do with it.

#![allow(dead_code, reason = "a vocabulary for tests; not every word is in use at every time")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test may end by panicking")]

use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::Duration;
use thirtyfour::prelude::*;
use thirtyfour::{ChromiumLikeCapabilities, LoggingPrefsLogLevel};

/// Longest wait for something that the page does: generous, for machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);

/// As in the calls by which Debian's Chromium runs on a machine without screen and network.
const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
];

/// What the reader sits before.
#[derive(Clone, Copy, Debug)]
pub enum Screen {
    /// 1280 x 800.
    Desktop,
    /// 390 x 844 at three device pixels, with touch.
    Phone,
}

/// A browser with one tab, and the site that is under test.
pub struct Page {
    driver: WebDriver,
    /// Where the site is, with a slash at the end.
    pub site: String,
}

/// Opens a browser, lets `test` use it, and keeps picture and console if the test fails.
pub fn visit(screen: Screen, test: impl AsyncFnOnce(&Page)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let page = runtime.block_on(Page::start(screen));
    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test(&page))));
    if result.is_err() {
        runtime.block_on(page.keep_evidence());
    }
    let _ = runtime.block_on(page.driver.quit());
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// A setting that `cargo xtask test` makes.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the browser tests by `cargo xtask test --browser`")
    })
}

impl Page {
    async fn start(screen: Screen) -> Page {
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in ARGUMENTS {
            capabilities.add_arg(argument).unwrap();
        }
        capabilities.set_binary(&setting("INFLIGHT_BROWSER")).unwrap();
        for log in ["browser", "performance"] {
            capabilities.set_logging_prefs(log, LoggingPrefsLogLevel::All).unwrap();
        }
        let driver = WebDriver::new(setting("INFLIGHT_DRIVER"), capabilities).await.unwrap();
        driver.set_script_timeout(PATIENCE).await.unwrap();
        let page = Page { driver, site: setting("INFLIGHT_PAGE") };
        page.set_screen(screen).await;
        page
    }

    /// Gives the tab another screen.
    pub async fn set_screen(&self, screen: Screen) {
        let (width, height, ratio, phone) = match screen {
            Screen::Desktop => (1280, 800, 1, false),
            Screen::Phone => (390, 844, 3, true),
        };
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": ratio, "mobile": phone
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": phone })).await;
    }

    /// Sets media features, such as `("prefers-reduced-motion", "reduce")`.
    pub async fn set_media(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Opens an address below the site, such as `?lang=zh#v1/mm1`, and waits until it rests.
    pub async fn open(&self, address: &str) {
        self.go(&format!("{}{address}", self.site)).await;
        self.wait_idle().await;
    }

    /// Opens any address. A new fragment alone does not load a page anew; this always does.
    pub async fn go(&self, url: &str) {
        self.driver.goto("about:blank").await.unwrap();
        self.driver.goto(url).await.unwrap();
    }

    /// Loads the page again and waits until it rests.
    pub async fn reload(&self) {
        self.driver.refresh().await.unwrap();
        self.wait_idle().await;
    }

    /// Waits until the page says that nothing is pending.
    pub async fn wait_idle(&self) {
        self.wait_for("html[data-idle]").await;
    }

    /// Waits for an element and returns it.
    pub async fn wait_for(&self, css: &str) -> WebElement {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, GLANCE).first().await;
        found.unwrap_or_else(|e| panic!("no {css} within {PATIENCE:?}: {e}"))
    }

    /// Waits until a JavaScript expression is true.
    pub async fn wait_until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0]; \
             (function look() {{ ({expression}) ? done(true) : setTimeout(look, 20) }})()"
        );
        let seen = self.driver.execute_async(script, Vec::new()).await;
        seen.unwrap_or_else(|e| panic!("never true: {expression}: {e}"));
    }

    /// Clicks what is there or comes.
    pub async fn click(&self, css: &str) {
        let element = self.wait_for(css).await;
        element.click().await.unwrap_or_else(|e| panic!("{css} takes no click: {e}"));
    }

    /// The visible text of an element.
    pub async fn text(&self, css: &str) -> String {
        self.wait_for(css).await.text().await.unwrap()
    }

    /// Sends keys to the focused element, or to the page.
    pub async fn press(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// The value of a JavaScript expression.
    pub async fn eval(&self, expression: &str) -> Value {
        let result = self.driver.execute(format!("return ({expression})"), Vec::new()).await;
        result.unwrap_or_else(|e| panic!("{expression}: {e}")).json().clone()
    }

    /// The value to which a JavaScript promise expression comes.
    pub async fn eval_async(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; Promise.resolve({expression})\
             .then(value => done({{ value }}), error => done({{ error: String(error) }}))"
        );
        let result = self.driver.execute_async(script, Vec::new()).await;
        let result = result.unwrap_or_else(|e| panic!("{expression}: {e}")).json().clone();
        assert!(result["error"].is_null(), "{expression}: {}", result["error"]);
        result["value"].clone()
    }

    /// The address bar, without the site.
    pub async fn address(&self) -> String {
        let url = self.eval("location.href").await.as_str().unwrap().to_owned();
        url.strip_prefix(&self.site).unwrap_or(&url).to_owned()
    }

    /// Moves into the frame that `css` names; `leave_frame` comes back.
    pub async fn enter_frame(&self, css: &str) {
        self.wait_for(css).await.enter_frame().await.unwrap();
    }

    /// Back to the top document.
    pub async fn leave_frame(&self) {
        self.driver.enter_default_frame().await.unwrap();
    }

    /// A command of the Chrome DevTools protocol.
    pub async fn devtools(&self, name: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(name, parameters).await;
        answer.unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The driver itself, for what has no word here.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Console lines since the last call that are errors or warnings.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.get_log("browser").await.unwrap();
        let loud = |level: &str| matches!(level, "SEVERE" | "WARNING");
        entries.into_iter().filter(|e| loud(&e.level)).map(|e| e.message).collect()
    }

    /// Addresses requested since the last call.
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.unwrap();
        let messages = entries.iter().filter_map(|e| {
            let entry: Value = serde_json::from_str(&e.message).ok()?;
            let message = &entry["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().unwrap_or("").to_owned())
        });
        messages.collect()
    }

    /// Fails unless console and network were quiet: no complaint, no request beyond the site.
    pub async fn assert_quiet(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the console says: {complaints:#?}");
        let own = [self.site.as_str(), "blob:", "data:", "about:"];
        let requests = self.requests().await;
        let beyond: Vec<&String> =
            requests.iter().filter(|url| !own.iter().any(|o| url.starts_with(o))).collect();
        assert!(beyond.is_empty(), "requests beyond the site: {beyond:#?}");
    }

    /// Fails if axe-core finds a violation in the current document.
    pub async fn assert_accessible(&self) {
        let axe = std::fs::read_to_string(setting("INFLIGHT_AXE")).unwrap();
        self.driver.execute(axe, Vec::new()).await.unwrap();
        let told = "axe.run(document, { resultTypes: ['violations'] }).then(r => \
                    r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))";
        let violations = self.eval_async(told).await;
        assert_eq!(violations, json!([]), "axe-core: {violations:#}");
    }

    /// Writes a picture of the window to `target/browser/NAME.png`.
    pub async fn shot(&self, name: &str) {
        let path = evidence(name, "png");
        let _ = self.driver.screenshot(&path).await;
    }

    async fn keep_evidence(&self) {
        let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
        self.shot(&test).await;
        let log = self.driver.get_log("browser").await.unwrap_or_default();
        let lines: Vec<String> =
            log.into_iter().map(|e| format!("{} {}", e.level, e.message)).collect();
        let url = self.driver.current_url().await.map(|u| u.to_string()).unwrap_or_default();
        let text = format!("{url}\n{}\n", lines.join("\n"));
        let path = evidence(&test, "log");
        let _ = std::fs::write(&path, text);
        eprintln!("picture and console: {}", path.with_extension("*").display());
    }
}

fn evidence(name: &str, extension: &str) -> PathBuf {
    let folder = PathBuf::from(setting("INFLIGHT_SHOTS"));
    let _ = std::fs::create_dir_all(&folder);
    folder.join(format!("{name}.{extension}"))
}
