//! `auth`: several credentials of one provider, and their order.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secrets::SecretInput;

/// `auth`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthSection {
    /// Credentials by id, such as `anthropic:work`. A provider without any is asked with its own `apiKey`.
    pub profiles: BTreeMap<String, AuthProfile>,
    /// Which credentials of a provider are asked, and in which order; all by name if left out.
    pub order: BTreeMap<String, Vec<String>>,
}

/// One credential.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthProfile {
    /// The provider it belongs to.
    pub provider: String,
    /// What kind of credential it is.
    pub mode: AuthMode,
    /// The key.
    pub api_key: Option<SecretInput>,
}

/// A kind of credential. Only keys are read here; the others are OpenClaw's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// A key.
    #[default]
    ApiKey,
    /// A session with a browser.
    Oauth,
    /// A token of a subscription.
    Token,
    /// The credentials of the AWS SDK.
    #[serde(rename = "aws-sdk")]
    AwsSdk,
}

impl AuthSection {
    /// Keys of a provider with the ids of their profiles, in the order in which they are asked; none if it has no profile.
    pub fn keys_of(&self, provider: &str) -> Vec<(&str, &SecretInput)> {
        let key = |id: &str| {
            let (id, profile) = self.profiles.get_key_value(id)?;
            (profile.provider == provider).then(|| Some((id.as_str(), profile.api_key.as_ref()?))).flatten()
        };
        match self.order.get(provider) {
            Some(order) => order.iter().filter_map(|id| key(id)).collect(),
            None => self.profiles.keys().filter_map(|id| key(id)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> AuthSection {
        serde_json::from_str(
            r#"{
                "profiles": {
                    "anthropic:home": { "provider": "anthropic", "mode": "api_key", "apiKey": "k1" },
                    "anthropic:work": { "provider": "anthropic", "apiKey": "k2" },
                    "anthropic:browser": { "provider": "anthropic", "mode": "oauth" },
                    "openai:home": { "provider": "openai", "apiKey": "k3" }
                }
            }"#,
        )
        .unwrap()
    }

    fn ids(section: &AuthSection, provider: &str) -> Vec<String> {
        section.keys_of(provider).into_iter().map(|(id, _)| id.to_owned()).collect()
    }

    #[test]
    fn the_order_decides_which_keys_are_asked_and_when() {
        let mut section = section();
        assert_eq!(ids(&section, "anthropic"), ["anthropic:home", "anthropic:work"]);
        section.order.insert("anthropic".into(), vec!["anthropic:work".into(), "openai:home".into(), "gone".into()]);
        assert_eq!(ids(&section, "anthropic"), ["anthropic:work"]);
        assert_eq!(ids(&section, "openai"), ["openai:home"]);
        assert!(ids(&section, "groq").is_empty());
    }
}
