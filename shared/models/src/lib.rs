#![doc = include_str!("../README.md")]

mod anthropic;
mod bedrock;
mod catalog;
mod claude;
mod echo;
mod endpoint;
mod facts;
mod failure;
mod finished;
mod framing;
mod gemini;
mod ollama;
mod open;
mod openai_chat;
mod openai_responses;
#[cfg(test)]
mod recorded;
mod reference;
#[cfg(test)]
mod rendered;
mod results;
mod seal;
mod transcript;

pub use catalog::{Api, Builtin, Cost, Input, KnownModel, MaxTokensField};
pub use catalog::{builtin, builtins, known, models, nano, price_of_service, prices_of};
pub use chela_sigv4::AwsKeys;
pub use facts::ModelConfig;
pub use open::{OpenError, ProviderConfig, open};
pub use reference::{BadModelRef, ModelRef};
