//! What tests of every crate share. A development dependency only.

pub mod laws;
