//! chela-channel-slack
