#![doc = include_str!("../README.md")]

mod anthropic;
mod catalog;
mod echo;
mod endpoint;
mod failure;
mod finished;
mod openai_chat;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod rendered;
mod sse;
mod transcript;

pub use catalog::{
    Api, BUILTIN, BadModelRef, Builtin, MaxTokensField, ModelRef, OpenError, ProviderConfig, builtin, open,
};
