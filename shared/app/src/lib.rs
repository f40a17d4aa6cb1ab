//! The verbs of the house, each a function of ports and configuration: [`receive`] what a platform sends, [`answer`]
//! what was queued, [`beat`] when a schedule fires, serve the [`api`]. The functions on AWS and the gateway on a laptop
//! wire the same verbs to different adapters. [`wished`] is what commands changed of the first two.

pub mod answer;
pub mod api;
pub mod beat;
mod broadcast;
pub mod forget;
mod gateway;
mod house;
pub mod install;
mod knowledge;
pub mod live;
pub mod log;
mod makers;
pub mod mcp;
mod media;
pub mod memory;
pub mod metrics;
mod models;
pub mod receive;
mod rotation;
pub mod usage;
mod waited;
pub mod web;
pub mod wished;
mod workspaces;

pub use knowledge::shelf_settings;
