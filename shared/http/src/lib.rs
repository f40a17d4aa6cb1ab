//! chela-http
