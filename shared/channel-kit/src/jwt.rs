//! Tokens that platforms sign with keys they publish, and that we sign for platforms that want one.
