//! The house as a whole: its shape, and its binaries against platforms, models and a local AWS.

mod architecture;
mod bad_input;
mod binaries;
mod deployed;
mod explain;
mod local;
mod oracle;
mod platform;
