//! Frames of small worlds.
