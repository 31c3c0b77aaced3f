//! param
