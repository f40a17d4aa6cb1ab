//! Where functions read their environment.

/// A variable of the process: the one place where functions read it.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
