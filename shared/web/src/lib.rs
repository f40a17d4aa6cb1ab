#![doc = include_str!("../README.md")]

mod cache;
mod fetch;
mod search;

pub use fetch::{FetchSettings, WebFetch};
pub use search::{PROVIDERS, Provider, SearchSettings, WebSearch, find as find_provider};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the model passed, or what is wrong with it in words for the model.
fn arguments<T: DeserializeOwned>(input: &Value) -> Result<T, String> {
    T::deserialize(input).map_err(|error| format!("The arguments do not fit: {error}. See the tool's schema."))
}

#[cfg(test)]
mod tests;
