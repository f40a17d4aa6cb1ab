//! chela-testkit
