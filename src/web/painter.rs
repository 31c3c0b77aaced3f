//! Canvases that the frame loop paints: after the simulation, before the readout.

use std::cell::Cell;

use crate::param::Lang;
use crate::view::Chosen;
use crate::view::ladder::{Sight, Window};
use crate::world::session::Session;

/// What a painter sees: one instant of the laboratory.
pub struct Scene<'a> {
    /// The run.
    pub session: &'a Session,
    /// The same run at its end, if it is known.
    pub ahead: Option<&'a Session>,
    /// Changes when another scenario is opened.
    pub run: u64,
    /// The stretch of time that a ladder shows; none before the first picture.
    pub sight: &'a Cell<Option<Sight>>,
    /// The stretch worth seeing first.
    pub stretch: &'a Cell<Option<Window>>,
    /// The language of words.
    pub lang: Lang,
    /// Whether the page is dark.
    pub dark: bool,
    /// What is chosen.
    pub chosen: Chosen,
    /// Whether time passes.
    pub playing: bool,
    /// Whether the reader asked for no motion.
    pub steps: bool,
    /// Simulated seconds per second.
    pub speed: f64,
    /// The frame's stamp in milliseconds.
    pub wall_ms: f64,
}

/// Something that draws itself once a frame.
pub trait Painter {
    /// Draws the instant. True: something still waits for a frame of its own.
    fn paint(&mut self, scene: &Scene<'_>) -> bool;
}
