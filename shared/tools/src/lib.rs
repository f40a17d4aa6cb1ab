//! chela-tools
