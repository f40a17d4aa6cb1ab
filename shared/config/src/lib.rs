//! chela-config
