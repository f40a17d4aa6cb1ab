//! The turn, told as stories.

mod commands;
mod crashes;
mod delivery;
mod faults;
mod models;
mod world;
