//! The sandbox, from outside.

mod command;
