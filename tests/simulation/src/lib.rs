//! The turn in a bad world: the real [`chela_agent::Agent`] between a queue, a session store, models, platforms and
//! tools that are simulated together with everything that goes wrong with them. One seed is one world: what happens
//! in it follows from the seed alone, so that a violation can be run again.
//!
//! - `sim` is what a world shares: its dice, its time, its weather. `fault` lists what can go wrong.
//! - `process` is a worker process that can be killed and paused at any await; `worker` is what it does.
//! - `rows` is a session store, `queue` is SQS FIFO; both pass the laws of their ports. `store`, `model`, `platform`
//!   and `tools` stand between them and the turn, and fail.
//! - `history` is what the outside saw; `checker` judges it and knows nothing else.
//! - `world` is one seed from the first webhook to the verdict; `campaign` runs many.
//!
//! Promises are named as in the turn protocol: I1 nothing accepted is lost, I2 no reply twice, I3 order, I4 no effect
//! twice, I5 valid transcripts, I6 everything settles, I7 bounded spending.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is impossible here must stop the test"
)]

mod campaign;
mod checker;
mod fault;
mod history;
mod model;
mod platform;
mod process;
mod queue;
mod report;
mod rows;
mod sim;
mod store;
mod tools;
mod transcript;
mod worker;
mod world;

pub use campaign::{Campaign, Totals};
pub use checker::{Promise, Violation};
pub use fault::{Fault, Place};
pub use history::{Event, Happening, History};
pub use queue::FifoQueue;
pub use report::write_section;
pub use rows::Rows;
pub use sim::{Config, Mutant};
pub use world::{Run, run};
