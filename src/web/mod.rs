//! The page: what paints and handles.
//!
//! Read [`lab`] first (what there is), then [`frames`] (the one loop), [`reading`] (what
//! components get) and [`app`]. Nothing here holds a rule of the model, and nothing that a link or
//! a document carries is ever put in as markup.

mod act;
mod ahead;
mod address;
mod app;
mod bench;
pub mod canvas;
mod capture;
mod cures;
pub mod dom;
mod editor;
pub mod exports;
mod frames;
mod gallery;
mod guarantees;
mod help;
pub mod icons;
mod inspector;
mod keys;
mod knobs;
pub mod lab;
mod lab_values;
pub mod ladder;
mod ledger;
mod notices;
mod options;
mod options_memory;
mod options_parts;
pub mod painter;
pub mod part;
mod pictures;
pub mod plot;
pub mod raster;
mod reading;
mod readout;
mod share;
mod sheet;
pub mod shell;
mod sizes;
pub mod speed;
pub mod stage;
mod steppers;
mod top;
pub mod tracks;
mod transport;

pub use act::Act;
