//! Tokens that platforms sign with keys they publish, and tokens that we sign for platforms that want one.
//!
//! A platform that proves its posts this way publishes its public keys and puts `Authorization: Bearer <token>` on each
//! post. [`PublishedKeys`] keeps the keys, [`verify`] is the proof. [`SigningKey`] makes tokens of our own (service
//! accounts of Google, apps of GitHub), and [`AccessTokens`] keeps what a platform gives in exchange.
//!
//! Why thin code over `ring` and not `jsonwebtoken`: all 9.x take an `exp` or `nbf` of another type for an absent one
//! (CVE-2026-25537, fixed in 10.3), and 10.x does its RSA with aws-lc or with the `rsa` crate (RUSTSEC-2023-0071), a
//! second crypto library beside ring, which rustls has brought along anyway. What is left to do here is to pin the one
//! algorithm these platforms use and to read a handful of claims strictly.
//!
//! <https://www.rfc-editor.org/rfc/rfc7515>, <https://www.rfc-editor.org/rfc/rfc7519>

mod access;
mod keys;
mod sign;
#[cfg(feature = "simulator")]
pub mod simulator;
mod token;
mod verify;

pub use self::access::{AccessToken, AccessTokens, exchange};
pub use self::keys::{KeySource, PUBLIC_KEYS, PublishedKey, PublishedKeys};
pub use self::sign::{SigningKey, UnfitPem};
pub use self::token::Claims;
pub use self::verify::{Expected, claims, verify};
