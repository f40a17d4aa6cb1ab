#![doc = include_str!("../README.md")]

pub mod choices;
pub mod deadline;
pub mod failure;
pub mod graph;
pub mod hosts;
pub mod options;
pub mod page;
pub mod readable;
pub mod subscription;
pub mod webhook;

pub use self::deadline::Deadline;
pub use self::failure::Failure;
pub use self::graph::Graph;
pub use self::options::{APP_ID, GRAPH_API_VERSION, REPLY_TO_MODE, ReplyToMode};
pub use self::subscription::App;
pub use self::webhook::Webhook;
