//! chela-app
