#![doc = include_str!("../README.md")]

mod answer;
mod catalog;
mod connection;
mod error;
mod http;
pub mod oauth;
mod outside;
pub mod protocol;
mod server;
mod settings;
#[cfg(feature = "stdio")]
pub mod stdio;
mod tool;
mod transport;
mod vet;

pub use catalog::{Catalog, Listed};
pub use error::McpError;
pub use server::{Ground, Server, Servers};
pub use settings::{Hidden, Launcher, Program, Risk, ServerSettings, ToolRules, Way};
pub use transport::{Outgoing, Reply, Transport};
