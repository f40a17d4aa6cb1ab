//! chela-embedded
