//! The vocabulary of Chela, its ports, and its pure rules. Nothing here does I/O, reads a clock, an
//! environment or randomness: these come in through ports, so every run can be replayed.

pub mod agent_id;
pub mod chunk;
pub mod route;
pub mod session_key;
