#![doc = include_str!("../README.md")]

mod address;
mod client;
mod error;
#[cfg(test)]
mod forms;
mod request;
mod resolver;
mod stream;
mod target;

pub use client::{HttpClient, HttpOptions};
pub use error::HttpError;
pub use request::{Request, Response};
pub use stream::StreamingResponse;
pub use target::HostPort;
