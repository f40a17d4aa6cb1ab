//! `${VAR}` in texts, and secret references.

use chela_core::secret::{SecretRef, SecretSource};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::path::Path;
use crate::shape::Misfit;

/// What becomes of a `${VAR}` whose variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingVariable {
    /// It is an error: for `chela config check` and the laptop.
    Refuse,
    /// A text that is nothing but `${VAR}` becomes a reference to the variable, which is refused when somebody needs it:
    /// for functions that are given only the secrets they use.
    Defer,
}

/// A secret reference and the key it stands under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// The key, as `channels.telegram.botToken`.
    pub path: String,
    /// Where the secret is kept.
    pub reference: SecretRef,
}

/// Credentials that a machine of AWS gives to whatever runs on it: with them one may do what the function may.
const OWN_CREDENTIALS: [&str; 3] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/// Sections that sign requests to AWS with them and hand them to nobody.
const SIGNERS: [&str; 2] = ["channels.email.", "models.providers."];

/// Where variables come from.
pub(crate) type Lookup<'a> = &'a (dyn Fn(&str) -> Option<String> + Send + Sync);

pub(crate) struct Resolver<'a> {
    pub(crate) lookup: Lookup<'a>,
    pub(crate) missing: MissingVariable,
    pub(crate) misfits: Vec<Misfit>,
    pub(crate) secrets: Vec<SecretUse>,
}

impl Resolver<'_> {
    /// Puts in variables and collects references, everywhere in `value`.
    pub(crate) fn resolve(&mut self, value: &mut Value, path: &Path) {
        match value {
            Value::String(text) => {
                if let Some(changed) = self.text(text, path) {
                    *value = changed;
                }
            }
            Value::Array(items) => {
                items.iter_mut().enumerate().for_each(|(at, item)| self.resolve(item, &path.index(at)));
            }
            Value::Object(entries) => {
                entries.iter_mut().for_each(|(key, entry)| self.resolve(entry, &path.key(key)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if let Value::Object(entries) = value {
            self.reference(entries, path);
        }
    }

    /// The text with its variables put in, if it has any.
    fn text(&mut self, text: &str, path: &Path) -> Option<Value> {
        let mut out = String::new();
        let mut rest = text;
        let mut changed = false;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}').filter(|(name, _)| is_variable(name)) else {
                // Not one of ours: `${lower}` and an open `${` stay as they are, as in OpenClaw.
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            };
            changed = true;
            rest = tail;
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(&format!("{before}${{{name}}}"));
                continue;
            }
            if is_own_credential(name, path) {
                self.misfits.push(handed_on(name, path));
                continue;
            }
            match (self.lookup)(name).filter(|value| !value.is_empty()) {
                Some(value) => {
                    out.push_str(before);
                    out.push_str(&value);
                }
                None if self.missing == MissingVariable::Defer && text.len() == name.len().saturating_add(3) => {
                    return Some(json!({ "source": "env", "id": name }));
                }
                None => self.misfits.push(Misfit {
                    path: path.clone(),
                    at_key: false,
                    warning: false,
                    message: format!("the variable {name} is not set"),
                    fix: format!("set {name} where Chela runs, or write $${{{name}}} if you mean the text itself"),
                }),
            }
        }
        out.push_str(rest);
        changed.then_some(Value::String(out))
    }

    /// Notes a secret reference. OpenClaw names a provider in it: `default` is what we do anyway.
    fn reference(&mut self, entries: &mut Map<String, Value>, path: &Path) {
        let only = |key: &String| matches!(key.as_str(), "source" | "id" | "provider");
        let texts =
            entries.get("source").is_some_and(Value::is_string) && entries.get("id").is_some_and(Value::is_string);
        if !texts || !entries.keys().all(only) {
            return;
        }
        let refuse = |message: &str, fix: &str| Misfit {
            path: path.clone(),
            at_key: false,
            warning: false,
            message: message.to_owned(),
            fix: fix.to_owned(),
        };
        const PLACES: &str = "use source \"env\", \"file\", \"ssm\" or \"secretsmanager\"";
        match entries.get("provider").map(|provider| provider.as_str()) {
            None | Some(Some("default")) => {
                entries.shift_remove("provider");
            }
            Some(_) => return self.misfits.push(refuse("secret providers of OpenClaw are not read here", PLACES)),
        }
        if entries.get("id").and_then(Value::as_str).is_some_and(|id| id.trim().is_empty()) {
            return self
                .misfits
                .push(refuse("the secret reference has an empty id", "name the variable, file, parameter or secret"));
        }
        match SecretRef::deserialize(&Value::Object(entries.clone())) {
            Ok(SecretRef { source: SecretSource::Env, id }) if is_own_credential(&id, path) => {
                self.misfits.push(handed_on(&id, path));
            }
            Ok(reference) => self.secrets.push(SecretUse { path: path.to_string(), reference }),
            Err(_) => self.misfits.push(refuse("the secret reference has a source that is not read here", PLACES)),
        }
    }
}

/// Whether a place that does not sign requests would get the machine's own credentials: a prompt, a header, a program.
fn is_own_credential(name: &str, path: &Path) -> bool {
    let at = path.to_string();
    OWN_CREDENTIALS.contains(&name) && !SIGNERS.iter().any(|section| at.starts_with(section))
}

fn handed_on(name: &str, path: &Path) -> Misfit {
    Misfit {
        path: path.clone(),
        at_key: false,
        warning: false,
        message: format!("{name} is a credential of this machine and would be handed on from here"),
        fix: "make a credential for this place alone, and refer to that".to_owned(),
    }
}

/// As in OpenClaw: capital letters, digits and `_`, not beginning with a digit.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

impl SecretUse {
    /// Whether it is an environment variable, which a function gets at deployment.
    pub fn is_env(&self) -> bool {
        self.reference.source == SecretSource::Env
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolve(mut value: Value, missing: MissingVariable) -> (Value, Vec<String>, Vec<SecretUse>) {
        let lookup = |name: &str| match name {
            "HOST" => Some("h".to_owned()),
            "EMPTY" => Some(String::new()),
            "AWS_SECRET_ACCESS_KEY" => Some("key of aws".to_owned()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        };
        let mut resolver = Resolver { lookup: &lookup, missing, misfits: Vec::new(), secrets: Vec::new() };
        resolver.resolve(&mut value, &Path::root());
        let messages = resolver.misfits.iter().map(|m| format!("{}: {}", m.path, m.message)).collect();
        (value, messages, resolver.secrets)
    }

    #[test]
    fn the_credentials_of_the_machine_are_handed_to_nobody() {
        let (secret, token) =
            (json!("x ${AWS_SECRET_ACCESS_KEY}"), json!({"source": "env", "id": "AWS_SESSION_TOKEN"}));
        for place in ["mcp", "prompts", "agents", "tools", "gateway", "channels"] {
            for missing in [MissingVariable::Refuse, MissingVariable::Defer] {
                let (value, messages, secrets) = resolve(json!({ place: { "a": [secret, token] } }), missing);
                let handed = messages.iter().filter(|message| message.contains("handed on")).count();
                assert!(handed == 2 && secrets.is_empty() && !value.to_string().contains("key of"), "{messages:?}");
            }
        }
        let mail =
            json!({"channels": {"email": {"secretAccessKey": "${AWS_SECRET_ACCESS_KEY}", "sessionToken": token}}});
        let (value, messages, secrets) = resolve(mail, MissingVariable::Refuse);
        assert_eq!((messages.len(), secrets.len()), (0, 1), "{messages:?}");
        assert_eq!(value["channels"]["email"]["secretAccessKey"], "key of aws");
    }

    #[test]
    fn variables_are_put_in_once() {
        let cases = [
            ("${HOST}", "h"),
            ("http://${HOST}/${HOST}", "http://h/h"),
            ("$${HOST}", "${HOST}"),
            ("$${MISSING}", "${MISSING}"),
            ("$$${HOST}", "$${HOST}"),
            ("${NESTED}", "${HOST}"),
            ("${lower} ${1X} ${ ${HOST", "${lower} ${1X} ${ ${HOST"),
            ("${${HOST}}", "${h}"),
            ("$HOST {HOST}", "$HOST {HOST}"),
        ];
        for (text, expected) in cases {
            let (value, errors, _) = resolve(json!({ "a": [text] }), MissingVariable::Refuse);
            assert_eq!((value, errors), (json!({ "a": [expected] }), Vec::new()), "{text}");
        }
    }

    #[test]
    fn a_missing_variable_is_named_with_its_key() {
        let written = json!({ "a": ["${MISSING}", "x${EMPTY}y${OTHER}"] });
        let (_, errors, _) = resolve(written, MissingVariable::Refuse);
        let expected = [
            "a[0]: the variable MISSING is not set",
            "a[1]: the variable EMPTY is not set",
            "a[1]: the variable OTHER is not set",
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn deferred_variables_become_references() {
        let (value, errors, secrets) = resolve(json!({ "t": "${MISSING}", "u": "${HOST}" }), MissingVariable::Defer);
        assert_eq!(value, json!({ "t": { "source": "env", "id": "MISSING" }, "u": "h" }));
        assert!(errors.is_empty());
        assert_eq!(secrets.iter().map(|secret| secret.path.as_str()).collect::<Vec<_>>(), ["t"]);
        let (_, errors, _) = resolve(json!({ "t": "x${MISSING}" }), MissingVariable::Defer);
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn references_are_collected_and_foreign_ones_refused() {
        let written = json!({
            "env": { "source": "env", "id": "A", "provider": "default" },
            "ssm": [{ "source": "ssm", "id": "/chela/a" }],
            "no": { "source": "env", "id": "A", "more": 1 },
            "exec": { "source": "exec", "id": "vault" },
            "provider": { "source": "file", "id": "/a", "provider": "filemain" },
            "blank": { "source": "env", "id": " " },
        });
        let (value, errors, secrets) = resolve(written, MissingVariable::Refuse);
        assert_eq!(value.pointer("/env"), Some(&json!({ "source": "env", "id": "A" })));
        let found: Vec<_> = secrets.iter().map(|secret| (secret.path.as_str(), secret.is_env())).collect();
        assert_eq!(found, [("env", true), ("ssm[0]", false)]);
        let refused: Vec<_> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
        assert_eq!(refused, ["exec", "provider", "blank"]);
    }

    proptest! {
        #[test]
        fn texts_without_a_dollar_stay(text in "[^$]{0,20}") {
            prop_assert_eq!(resolve(json!(text), MissingVariable::Refuse).0, json!(text));
        }

        #[test]
        fn any_text_can_be_escaped(text in "[A-Z{}$ ]{0,12}") {
            let escaped = text.replace("${", "$${");
            let (value, _, _) = resolve(json!(escaped), MissingVariable::Refuse);
            // What is no variable is left alone, so only texts that hold one come back shorter.
            if text.contains("${A}") && text.matches("${").count() == 1 {
                prop_assert_eq!(value, json!(text));
            }
        }
    }
}
