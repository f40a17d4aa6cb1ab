//! Secrets from the environment and from files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::Arc;

use async_trait::async_trait;
use chela_core::secret::{Secret, SecretError, SecretRef, SecretSource, SecretStore};

/// The largest secret file read; a key pair has a few kilobytes, and `/dev/zero` has no end.
const FILE_BYTES: u64 = 64 * 1024;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// [`SecretStore`] of one machine: reads anew each time, so a changed file needs no restart.
#[derive(Clone)]
pub struct LocalSecrets {
    variable: Arc<Lookup>,
}

impl LocalSecrets {
    /// `variable` looks a name up in the environment of the process.
    pub fn new(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { variable: Arc::new(variable) }
    }
}

#[async_trait]
impl SecretStore for LocalSecrets {
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let id = reference.id.clone();
        let value = match reference.source {
            SecretSource::Env => {
                (self.variable)(&id).ok_or_else(|| "it is not set: set it and restart chela".to_owned())
            }
            SecretSource::File => tokio::task::spawn_blocking(move || file(&id))
                .await
                .map_err(|error| SecretError::Unavailable { id: reference.id.clone(), reason: error.to_string() })?,
            SecretSource::Ssm | SecretSource::SecretsManager => {
                return Err(SecretError::Unsupported(reference.source, "env, file"));
            }
        };
        // An empty secret is one that somebody forgot to fill in; signatures made with it would be anybody's.
        let value = value
            .and_then(|value| if value.is_empty() { Err("it is empty: fill it in".to_owned()) } else { Ok(value) });
        value.map(Secret::new).map_err(|fix| SecretError::Missing {
            source_kind: reference.source,
            id: reference.id.clone(),
            fix,
        })
    }
}

/// The file's text without one trailing line break, or what is wrong with it and the fix.
fn file(path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file: create it with the secret as its only content".to_owned(),
        ErrorKind::PermissionDenied => "it may not be read: make it readable for the user that runs chela".to_owned(),
        ErrorKind::IsADirectory => "it is a folder: name the file in it".to_owned(),
        _ => format!("it cannot be read ({error}): check the path"),
    })?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("it has more than {FILE_BYTES} bytes: keep the secret alone in the file"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text: write the secret as text".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}
