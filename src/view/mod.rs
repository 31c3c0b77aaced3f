//! What to draw, without a browser: frames, layout, draw list, charts, and how numbers read.
//!
//! It reads a session and answers plain data; `web` paints it, the command line prints it.

pub mod numbers;
