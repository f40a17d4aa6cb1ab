//! chela-channel-webhook
