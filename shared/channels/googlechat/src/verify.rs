//! Who posted it: Google Chat, for this app.
//! <https://developers.google.com/workspace/chat/verify-requests-from-chat>

use chela_channel_kit::jwt::{Claims, Expected, KeySource, PublishedKeys, verify};
use chela_channel_kit::{AccountSettings, ConfigProblem};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::secret::Secret;
use http::Method;

use crate::{APP_PRINCIPAL, AUDIENCE, AUDIENCE_TYPE};

/// Google Chat itself: the subject of its identity tokens, and the issuer of those for a project number.
pub(crate) const CHAT: &str = "chat@system.gserviceaccount.com";

/// Who issues identity tokens, in both spellings Google documents.
/// <https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken>
pub(crate) const GOOGLE: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// What the service accounts that post for add-ons are called, after `service-` and the number of a project.
const ADD_ON_DOMAIN: &str = "@gcp-sa-gsuiteaddons.iam.gserviceaccount.com";

/// Where Google publishes its keys.
const KEYS: &str = "https://www.googleapis.com";

/// What an account expects of a token.
pub(crate) struct Proof {
    audience: String,
    kind: AudienceKind,
    /// The service account of our add-on. Its name must be known: everybody can have Google make a token for our URL,
    /// and every add-on is posted for by an account whose name looks like this.
    add_on: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AudienceKind {
    Url,
    ProjectNumber,
}

impl Proof {
    pub(crate) fn new(settings: &AccountSettings, audience: &Secret) -> Result<Self, ConfigProblem> {
        let kind = match settings.text(AUDIENCE_TYPE.key)?.unwrap_or("app-url") {
            "app-url" => AudienceKind::Url,
            "project-number" => AudienceKind::ProjectNumber,
            _ => {
                let fix = "write \"app-url\" or \"project-number\"";
                return Err(ConfigProblem::option(AUDIENCE_TYPE.key, "it is neither of the two", fix));
            }
        };
        let audience = audience.expose().trim().to_owned();
        let is_number = audience.bytes().all(|byte| byte.is_ascii_digit());
        if is_number != (kind == AudienceKind::ProjectNumber) {
            let fix = format!("set {} to what it is", AUDIENCE_TYPE.key);
            return Err(ConfigProblem::secret(AUDIENCE.key, "it is not of the kind that is configured", fix));
        }
        let add_on = settings.text(APP_PRINCIPAL.key)?.map(str::trim).filter(|name| !name.is_empty());
        Ok(Self { audience, kind, add_on: add_on.map(str::to_owned) })
    }

    pub(crate) fn key_source(&self, settings: &AccountSettings) -> Result<KeySource, ConfigProblem> {
        let base = settings.base_url(KEYS)?;
        Ok(KeySource::Jwks(match self.kind {
            AudienceKind::Url => format!("{base}/oauth2/v3/certs"),
            AudienceKind::ProjectNumber => format!("{base}/service_accounts/v1/jwk/{CHAT}"),
        }))
    }

    /// Where an add-on's buttons lead: to the URL of the app, which only add-ons spell out.
    pub(crate) fn add_on_url(&self) -> Option<&str> {
        self.add_on.as_ref().filter(|_| self.kind == AudienceKind::Url).map(|_| self.audience.as_str())
    }

    pub(crate) fn verify(&self, request: RawRequest, keys: &PublishedKeys) -> Result<Verified, Rejected> {
        if request.method != Method::POST {
            return Err(Rejected::Method);
        }
        let audiences = [self.audience.as_str()];
        match self.kind {
            AudienceKind::Url => {
                let expected = Expected { issuers: &GOOGLE, audiences: &audiences };
                verify(request, keys, &expected, |claims, _| self.is_chat(claims))
            }
            AudienceKind::ProjectNumber => {
                let expected = Expected { issuers: &[CHAT], audiences: &audiences };
                verify(request, keys, &expected, |_, _| Ok(()))
            }
        }
    }

    /// Google signs such tokens for everybody; this one must be Chat's, or that of our own add-on.
    fn is_chat(&self, claims: &Claims) -> Result<(), Rejected> {
        if !claims.flag("email_verified")? {
            return Err(Rejected::Unproven("the token's e-mail address is not verified"));
        }
        let email = claims.text("email")?;
        if email == CHAT {
            return Ok(());
        }
        let ours = |known: &str| known == email || (email.ends_with(ADD_ON_DOMAIN) && claims.text("sub") == Ok(known));
        match self.add_on.as_deref() {
            Some(known) if ours(known) => Ok(()),
            Some(_) => Err(Rejected::Unproven("the token is neither Google Chat's nor the add-on's")),
            None => Err(Rejected::Unproven("the token is not Google Chat's: an add-on needs appPrincipal")),
        }
    }
}
