//! Every order in which everything can happen to a turn or two: the real [`chela_core::turn::Machine`] under exhaustive
//! exploration, with each protection taken away once to see that it is one.
#![allow(clippy::print_stdout, reason = "stories and numbers are there to be read")]
#![allow(unreachable_pub, reason = "the modules of one test")]

mod attempt;
mod diagram;
mod exploration;
mod found;
mod invariants;
mod mutants;
mod scope;
mod scopes;
mod store;
mod story;
mod world;
