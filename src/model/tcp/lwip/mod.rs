//! STUB
pub mod options;
pub use options::LwipParams;
