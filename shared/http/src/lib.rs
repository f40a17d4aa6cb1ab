#![doc = include_str!("../README.md")]

mod address;
mod client;
mod error;
#[cfg(test)]
mod forms;
mod request;
mod resolver;
pub mod sse;
mod stream;
mod target;

pub use client::{HttpClient, HttpOptions, Line};
pub use error::HttpError;
pub use request::{Request, Response};
pub use stream::StreamingResponse;
pub use target::HostPort;
