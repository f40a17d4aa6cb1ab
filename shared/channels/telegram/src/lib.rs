//! chela-channel-telegram
