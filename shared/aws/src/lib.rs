//! chela-aws
