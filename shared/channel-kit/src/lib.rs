//! What every channel needs and none should write itself: proofs of origin in constant time, markdown in one
//! intermediate form, the JSON caller, and the descriptor by which the registry knows a channel.
//!
//! A channel is written against this crate and `chela-core` only. The one to copy is `shared/channels/webhook`.

pub mod account;
pub mod api;
pub mod bridge;
pub mod jwt;
pub mod markdown;
pub mod multipart;
pub mod passed_on;
pub mod proof;
pub mod simulator;

pub use self::account::{
    AccountSettings, ChannelConfigError, ChannelDescriptor, ConfigProblem, Features, OptionSpec, SecretSpec,
};
pub use self::api::{Api, ApiCall, ApiReply};
pub use self::proof::{ProofKeys, UnfitKey};
pub use self::simulator::Simulator;
