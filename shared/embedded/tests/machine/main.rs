//! What holds on one machine, beyond the laws that every adapter keeps.

mod blobs;
mod crash;
mod events;
mod open;
mod queue;
mod schedules;
mod secrets;
mod sessions;
mod support;
