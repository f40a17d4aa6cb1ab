//! chela-agent
