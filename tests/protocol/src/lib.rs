//! The turn protocol on paper, explored to the last interleaving.
//!
//! One session, two messages; each turn asks the model, runs one tool with an effect, asks again and sends one reply.
//! A queue delivers the messages in order, at least once; attempts (invocations of the agent) die before any operation,
//! lose their message's visibility or their lease while they still run; the platform posts a message again after the
//! queue has forgotten it. A breadth-first search visits every state that can be reached so, for fifteen designs: three
//! that look reasonable, the one this house is built on, and that one with a protection taken away.
//!
//! | module | holds |
//! |---|---|
//! | [`design`] | the designs, and how many faults each is explored with |
//! | [`operation`] | what an attempt does, one atomic operation at a time |
//! | [`state`] | the queue, the attempts, the table and what the world has seen |
//! | [`step`] | what an operation changes, by design |
//! | [`explore`] | the search, and what is wrong with a state |
//! | [`story`] | the shortest way to something wrong, in English |
//!
//! This is the model of an idea, small enough to be complete. That the code follows it is for other tests to show.

pub mod design;
pub mod explore;
pub mod operation;
pub mod state;
pub mod step;
pub mod story;
