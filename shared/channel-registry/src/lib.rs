//! chela-channel-registry
