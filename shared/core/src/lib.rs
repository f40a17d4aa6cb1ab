//! The vocabulary of Chela, its ports, and its pure rules. Nothing here does I/O, reads a clock, an
//! environment or randomness: these come in through ports, so every run can be replayed.

pub mod access;
pub mod agent_id;
pub mod approval;
pub mod audit;
pub mod blob;
pub mod channel;
pub mod channel_log;
pub mod chunk;
pub mod clock;
pub mod command;
pub mod cooldown;
pub mod directory;
pub mod event;
pub mod explain;
pub mod gate;
pub mod job;
pub mod media;
pub mod message;
pub mod model;
pub mod outside;
pub mod post;
pub mod purse;
pub mod queue;
pub mod relay;
pub mod reply;
pub mod route;
pub mod sandbox;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod session_key;
pub mod spend;
pub mod tool;
pub mod turn;
