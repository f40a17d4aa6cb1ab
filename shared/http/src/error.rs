//! Why a request brought no answer, by what the caller can do.

use std::error::Error;
use std::iter::successors;

use crate::resolver::Refused;

/// Why a request brought no answer. No variant carries a path, a query or a header: tokens travel in all three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The text is no URL this house sends to. Nothing was sent; the same URL will fail again.
    #[error("not a usable URL: {reason}")]
    BadUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address is forbidden ground. Nothing was sent to it; the same URL will fail again.
    #[error("{origin} is refused: {reason}")]
    Blocked {
        /// Scheme, host and port.
        origin: String,
        /// The rule, and what would satisfy it.
        reason: &'static str,
    },
    /// No connection came about (name, TCP or TLS): the request never left. Sending again is safe.
    #[error("{origin} cannot be reached: {reason}")]
    NotSent {
        /// Scheme, host and port.
        origin: String,
        /// What was seen.
        reason: String,
    },
    /// The request may have left and no whole answer came: the other side may have acted on it.
    #[error("{origin} did not answer properly: {reason}")]
    Unknown {
        /// Scheme, host and port.
        origin: String,
        /// What was seen.
        reason: String,
    },
    /// The answer is longer than the request allowed. The other side did act on the request.
    #[error("{origin} answers with more than {limit} bytes")]
    TooLarge {
        /// Scheme, host and port.
        origin: String,
        /// The request's `max_bytes`.
        limit: usize,
    },
    /// The client cannot be built from these options.
    #[error("the HTTP client cannot be set up: {reason}")]
    Setup {
        /// What is wrong and where.
        reason: String,
    },
}

impl HttpError {
    /// Whether it is certain that the request never left.
    pub fn not_sent(&self) -> bool {
        match self {
            Self::BadUrl { .. } | Self::Blocked { .. } | Self::NotSent { .. } | Self::Setup { .. } => true,
            Self::Unknown { .. } | Self::TooLarge { .. } => false,
        }
    }

    /// Sorts an error from before the head of the answer arrived.
    pub(crate) fn before_answer(origin: &str, error: &reqwest::Error) -> Self {
        let origin = origin.to_owned();
        if let Some(Refused(reason)) = chain(error).find_map(|cause| cause.downcast_ref()) {
            return Self::Blocked { origin, reason };
        }
        let reason = root(error);
        // `is_connect` covers the whole connector: name, TCP and TLS handshake, each before the first request byte.
        if error.is_connect() || error.is_builder() {
            Self::NotSent { origin, reason }
        } else {
            Self::Unknown { origin, reason }
        }
    }

    /// Sorts an error from after the head of the answer arrived.
    pub(crate) fn during_answer(origin: &str, error: &reqwest::Error) -> Self {
        Self::Unknown { origin: origin.to_owned(), reason: format!("the answer broke off: {}", root(error)) }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}

/// Longest reason.
const REASON_CHARS: usize = 300;

/// The innermost cause: the outer ones repeat the URL. Models and logs read it, so that nothing of it may be the other side's
/// words: whoever closes an HTTP/2 connection may say anything, which h2 tells as `(b"…")` behind its own (RFC 9113 §6.8).
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let cause = chain(error).skip(1).last().map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    let own = cause.split(" (b\"").next().unwrap_or_default();
    own.chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect()
}
