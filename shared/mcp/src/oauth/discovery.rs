//! Who lets people in to a server, and where.

use serde_json::Value;
use url::Url;

use super::{Challenge, Ways};
use crate::error::McpError;

/// What was found out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Discovery {
    /// What a token is asked for: the server, or the part of its address that it calls itself.
    pub(super) resource: String,
    pub(super) issuer: String,
    pub(super) authorize: String,
    pub(super) token: String,
    pub(super) register: Option<String>,
    /// How a client with a secret shows it.
    pub(super) methods: Vec<String>,
    /// Whether an answer without the issuer's name is not from the issuer (RFC 9207).
    pub(super) names_itself: bool,
    /// What a token can be good for, as the server says.
    pub(super) scopes: Option<String>,
}

/// Asks the server, and whoever it names.
pub(super) async fn discover(ways: &Ways, challenge: &Challenge) -> Result<Discovery, McpError> {
    let server = &ways.server;
    let resource = resource(ways, challenge).await?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let (named, issuer, scopes) = match &resource {
        Some(found) => {
            let issuers = found.get("authorization_servers").and_then(Value::as_array);
            let first = issuers.and_then(|issuers| issuers.first()?.as_str()).map(str::to_owned);
            let first = first.ok_or_else(|| broken("it names nobody who lets people in"))?;
            let scopes = found.get("scopes_supported").and_then(Value::as_array);
            let scopes = scopes.map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
            (text(found, "resource"), first, scopes)
        }
        // Servers of before 2025-06-18 let people in themselves.
        None => (None, server.origin().ascii_serialization(), None),
    };
    let resource = match named {
        Some(named) if covers(&named, server) => named,
        Some(_) => return Err(broken("it says that it is another server")),
        None => server.to_string(),
    };
    let found = metadata(ways, &issuer).await?;
    let methods = list(&found, "code_challenge_methods_supported");
    if !methods.iter().any(|method| method == "S256") {
        return Err(broken("whoever lets people in does not say that it knows PKCE with S256"));
    }
    let need =
        |key: &str| text(&found, key).ok_or_else(|| broken("the metadata of whoever lets people in misses an address"));
    Ok(Discovery {
        resource,
        authorize: need("authorization_endpoint")?,
        token: need("token_endpoint")?,
        register: text(&found, "registration_endpoint"),
        methods: list(&found, "token_endpoint_auth_methods_supported"),
        names_itself: found.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        issuer: text(&found, "issuer").unwrap_or(issuer),
        scopes: scopes.filter(|scopes| !scopes.is_empty()),
    })
}

/// The server's own words about itself (RFC 9728).
async fn resource(ways: &Ways, challenge: &Challenge) -> Result<Option<Value>, McpError> {
    let server = &ways.server;
    let mut places = Vec::new();
    if let Some(named) = &challenge.metadata {
        let named = Url::parse(named).ok().filter(|named| named.origin() == server.origin());
        places.push(named.ok_or_else(|| broken("it sends us elsewhere for the words about itself"))?);
    }
    places.push(well_known(server, "oauth-protected-resource", server.path()));
    places.push(well_known(server, "oauth-protected-resource", ""));
    for place in &places {
        if let Some(found) = ways.document(place).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The words of whoever lets people in about itself (RFC 8414, and OpenID's older place). They must bear the name under
/// which they were found, or anybody could speak for anybody.
async fn metadata(ways: &Ways, issuer: &str) -> Result<Value, McpError> {
    let base = Url::parse(issuer).map_err(|_| broken("whoever lets people in has no URL"))?;
    let path = base.path().trim_end_matches('/');
    let mut places =
        vec![well_known(&base, "oauth-authorization-server", path), well_known(&base, "openid-configuration", path)];
    if !path.is_empty() {
        let mut behind = base.clone();
        behind.set_path(&format!("{path}/.well-known/openid-configuration"));
        places.push(behind);
    }
    for place in &places {
        let Some(found) = ways.document(place).await? else { continue };
        let named = found.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if named.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(broken("whoever lets people in bears another name than it was found under"));
        }
        return Ok(found);
    }
    Err(broken("whoever lets people in says nothing about itself"))
}

fn well_known(base: &Url, name: &str, path: &str) -> Url {
    let mut place = base.clone();
    place.set_path(&format!("/.well-known/{name}{}", path.trim_end_matches('/')));
    place.set_query(None);
    place.set_fragment(None);
    place
}

/// Whether a resource of this name is the server, or a part of its address that it is in.
fn covers(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let (whole, part) = (server.path().trim_end_matches('/'), resource.path().trim_end_matches('/'));
    let inside = whole == part || whole.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    resource.origin() == server.origin() && inside
}

fn list(value: &Value, key: &str) -> Vec<String> {
    let all = value.get(key).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

fn broken(what: &str) -> McpError {
    McpError::Broken(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_only_itself() {
        let server = Url::parse("https://a.example/v1/mcp").unwrap();
        for same in
            ["https://a.example/v1/mcp", "https://a.example/v1/mcp/", "https://a.example/v1", "https://a.example"]
        {
            assert!(covers(same, &server), "{same}");
        }
        for other in [
            "https://b.example/v1/mcp",
            "http://a.example/v1/mcp",
            "https://a.example/v",
            "https://a.example/v1/mcp/x",
            "",
        ] {
            assert!(!covers(other, &server), "{other}");
        }
    }

    #[test]
    fn words_are_looked_for_where_the_standards_put_them() {
        let at = |url: &str, name: &str| {
            let url = Url::parse(url).unwrap();
            well_known(&url, name, url.path()).to_string()
        };
        assert_eq!(
            at("https://a.example/v1/mcp?x=1", "oauth-protected-resource"),
            "https://a.example/.well-known/oauth-protected-resource/v1/mcp"
        );
        assert_eq!(
            at("https://a.example/", "oauth-authorization-server"),
            "https://a.example/.well-known/oauth-authorization-server"
        );
    }
}
