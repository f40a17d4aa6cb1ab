//! chela-channel-kit
