//! Who sent it: the homeserver repeats the token it was given in the registration file. It signs neither body nor time,
//! so replays are caught by event ids alone.
//! <https://spec.matrix.org/v1.16/application-service-api/#authorization>

use chela_channel_kit::proof::{ProofKeys, bearer_token};
use chela_core::channel::{RawRequest, Rejected, Verified};
use http::Method;
use url::form_urlencoded;

/// What a homeserver calls. <https://spec.matrix.org/v1.16/application-service-api/#homeserver---application-service-api>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Events.
    Transaction,
    /// Whether we are there.
    Ping,
    /// Whether this user is ours and exists.
    User(String),
    /// Whether a room alias or a place of a third party exists; none of ours does.
    Lookup,
    /// Nothing we know.
    Unknown,
}

impl Endpoint {
    /// What a path means, also without its prefix, as homeservers from before 2021 call.
    pub(crate) fn of(path: &str) -> Self {
        let rest = ["_matrix/app/v1/", "_matrix/app/unstable/"].iter().find_map(|prefix| path.strip_prefix(prefix));
        let rest = rest.unwrap_or(path);
        match rest.split_once('/') {
            None if rest == "ping" => Self::Ping,
            Some(("transactions", id)) if !id.is_empty() && !id.contains('/') => Self::Transaction,
            Some(("users", user)) => Self::User(decoded(user)),
            Some(("rooms" | "thirdparty", _)) => Self::Lookup,
            _ => Self::Unknown,
        }
    }

    fn takes(&self, method: &Method) -> bool {
        match self {
            Self::Transaction => method == Method::PUT,
            Self::Ping => method == Method::POST,
            Self::User(_) | Self::Lookup => method == Method::GET,
            Self::Unknown => [Method::PUT, Method::POST, Method::GET].contains(method),
        }
    }
}

/// Without percent-encoding. A `+` is a `+`: user ids have it.
fn decoded(segment: &str) -> String {
    let query = format!("x={}", segment.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

pub(crate) fn verify(request: RawRequest, keys: &ProofKeys) -> Result<Verified, Rejected> {
    if !Endpoint::of(&request.path).takes(&request.method) {
        return Err(Rejected::Method);
    }
    // Before version 1.4 of the specification the token was part of the URL, which every proxy writes into its log. It is
    // not looked for there.
    bearer_token(request, keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use chela_core::clock::Millis;
    use chela_core::secret::Secret;
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};

    fn request(method: Method, path: &str, query: &str, bearer: Option<&str>) -> RawRequest {
        let header = |token: &str| (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        RawRequest {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::from_iter(bearer.map(header)),
            body: Bytes::new(),
            received_at: Millis(0),
        }
    }

    fn verdict(method: Method, path: &str, query: &str, bearer: Option<&str>) -> Result<(), Rejected> {
        let keys = ProofKeys::words(&Secret::new("new old")).unwrap();
        verify(request(method, path, query, bearer), &keys).map(drop)
    }

    #[test]
    fn paths_mean_what_the_specification_says_with_and_without_prefix() {
        let user = |id: &str| Endpoint::User(id.to_owned());
        for (path, wanted) in [
            ("_matrix/app/v1/transactions/1", Endpoint::Transaction),
            ("transactions/abc", Endpoint::Transaction),
            ("_matrix/app/v1/ping", Endpoint::Ping),
            ("_matrix/app/v1/users/%40agent%3Ahs.local", user("@agent:hs.local")),
            ("users/@a+b:hs", user("@a+b:hs")),
            ("users/%40a%26b%2Bc:hs", user("@a&b+c:hs")),
            ("_matrix/app/v1/rooms/%23r%3Ahs", Endpoint::Lookup),
            ("_matrix/app/unstable/thirdparty/user", Endpoint::Lookup),
            ("_matrix/app/v1/transactions/", Endpoint::Unknown),
            ("_matrix/app/v1/transactions/1/2", Endpoint::Unknown),
            ("", Endpoint::Unknown),
        ] {
            assert_eq!(Endpoint::of(path), wanted, "{path}");
        }
    }

    #[test]
    fn each_endpoint_has_one_method() {
        let allowed = |method, path| verdict(method, path, "", Some("new"));
        assert_eq!(allowed(Method::PUT, "transactions/1"), Ok(()));
        assert_eq!(allowed(Method::POST, "_matrix/app/v1/ping"), Ok(()));
        assert_eq!(allowed(Method::GET, "users/@a:hs"), Ok(()));
        for (method, path) in [
            (Method::POST, "transactions/1"),
            (Method::GET, "transactions/1"),
            (Method::PUT, "_matrix/app/v1/ping"),
            (Method::PUT, "users/@a:hs"),
            (Method::DELETE, "what"),
        ] {
            assert_eq!(allowed(method, path), Err(Rejected::Method), "{path}");
        }
    }

    #[test]
    fn w21_a_token_in_the_url_proves_nothing() {
        for query in ["access_token=new", "x=1&access_token=old", "token=new"] {
            assert!(verdict(Method::PUT, "transactions/1", query, None).is_err(), "{query}");
            assert!(verdict(Method::PUT, "transactions/1", query, Some("wrong")).is_err(), "{query}");
            // Homeservers that write it twice are let in by the one that counts.
            assert!(verdict(Method::PUT, "transactions/1", query, Some("old")).is_ok(), "{query}");
        }
    }
}
