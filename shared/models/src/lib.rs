//! chela-models
