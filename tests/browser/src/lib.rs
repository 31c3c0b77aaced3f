//! Tests of the built page in headless Chromium, one session each.
//!
//! `cargo xtask test` builds the page, starts its server and ChromeDriver, and says through the
//! environment where they are; `cargo xtask test --browser NAME` runs a few. A failing test leaves
//! its picture and its console in `target/browser/`.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod accessible;
#[cfg(test)]
mod boards;
#[cfg(test)]
mod embedding;
#[cfg(test)]
mod guarantees;
#[cfg(test)]
mod ladder;
#[cfg(test)]
mod links;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod working;
