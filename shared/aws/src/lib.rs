//! The AWS adapters of the ports in `chela-core`: the only crate that uses the AWS SDK.
//!
//! | port | adapter | service |
//! |---|---|---|
//! | `SessionStore`, `AccessStore`, `ApprovalStore`, `AuditLog`, `ChannelLog`, `Directory`, `Erasure`, `SpendStore`, `CooldownStore` | [`Table`] | DynamoDB, one table |
//! | `Queue` | [`Lanes`] | SQS FIFO, three queues |
//! | `BlobStore` | [`Bucket`] | S3 |
//! | `Schedules` | [`ScheduleGroup`] | EventBridge Scheduler |
//! | `SecretStore` | [`Secrets`] | Systems Manager parameters, Secrets Manager |
//! | `EventBus` | [`Bus`] | EventBridge |
//! | `Sandbox` | [`SandboxFunction`] | Lambda |
//!
//! A function constructs the adapters it uses from one [`AwsClients`], so it pays at start only for those; each of
//! them names the variable it misses. All requests leave through `chela_http::HttpClient`.

mod access;
mod approval;
mod blob;
mod change;
mod channel_log;
mod client;
mod cooldown;
mod directory;
mod environment;
mod erasure;
mod event;
mod item;
mod queue;
mod sandbox;
mod schedule;
mod secret;
mod session;
mod spend;
mod table;

pub use blob::Bucket;
pub use client::AwsClients;
pub use environment::{AwsEnvironment, MissingVariable, variable};
pub use event::Bus;
pub use queue::Lanes;
pub use sandbox::SandboxFunction;
pub use schedule::{ScheduleGroup, firing};
pub use secret::Secrets;
pub use table::Table;
