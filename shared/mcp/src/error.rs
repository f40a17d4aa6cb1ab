//! Why a server did not do what it was asked.

use crate::protocol::Refusal;

/// Errors by what the caller can do. None of them shows a secret, a path or a query.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum McpError {
    /// It was certainly not asked: asking again repeats nothing.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It may have done what it was asked.
    #[error("it did not answer: {0}. Whether it did what it was asked is not known")]
    Unknown(String),
    /// Its owner has to sign in.
    #[error("it wants a login{}: run `chela mcp login {server}`", scope.as_ref().map(|scope| format!(" with scope \"{scope}\"")).unwrap_or_default())]
    Login {
        /// The server's name.
        server: String,
        /// What the login must be good for.
        scope: Option<String>,
    },
    /// It read the request and said no.
    #[error("it refused: {} ({})", .0.message, .0.code)]
    Refused(Refusal),
    /// It answered with this HTTP status and did nothing.
    #[error("it answers HTTP {0}")]
    Status(u16),
    /// It has forgotten the session. Only transports say this.
    #[error("it has forgotten the session")]
    SessionGone,
    /// It speaks something else.
    #[error("it does not speak the protocol: {0}")]
    Broken(String),
    /// The configuration is at fault.
    #[error("{0}")]
    Setup(String),
}
