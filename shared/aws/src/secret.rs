//! Secrets from the Systems Manager parameter store and from Secrets Manager, kept in memory for some minutes: a
//! request to the store for each turn would cost more than the turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use chela_core::clock::{Clock, Millis};
use chela_core::secret::{Secret, SecretError, SecretRef, SecretSource, SecretStore};
use sha2::{Digest, Sha256};

use crate::client::{AwsClients, Lazy, reason};

/// How long a secret is kept.
const KEPT_MS: u64 = 300_000;

/// Up to so much longer, by chance, so that the processes of one moment do not all ask again in one moment.
const JITTER_MS: u64 = 60_000;

/// Reads `ssm` and `secretsmanager` references, and `env` ones for what a deployment put into the environment. The role needs `ssm:GetParameter` or `secretsmanager:GetSecretValue`
/// for exactly the names it reads.
pub struct Secrets {
    parameters: Lazy<aws_sdk_ssm::Client>,
    secrets: Lazy<aws_sdk_secretsmanager::Client>,
    clock: Arc<dyn Clock>,
    variable: Box<Lookup>,
    kept: Mutex<HashMap<SecretRef, Kept>>,
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

struct Kept {
    secret: Secret,
    until: Millis,
}

impl Secrets {
    /// `variable` looks up environment variables. Does no I/O.
    pub fn new(
        clients: &AwsClients,
        clock: Arc<dyn Clock>,
        variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            parameters: clients.lazily(aws_sdk_ssm::Client::new),
            secrets: clients.lazily(aws_sdk_secretsmanager::Client::new),
            clock,
            variable: Box::new(variable),
            kept: Mutex::default(),
        }
    }

    fn known(&self, reference: &SecretRef) -> Option<Secret> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(reference).filter(|kept| self.clock.now() < kept.until).map(|kept| kept.secret.clone())
    }

    fn keep(&self, reference: &SecretRef, secret: &Secret) {
        let digest = Sha256::digest(self.clock.unique().as_bytes());
        let chance = digest.iter().take(2).fold(0, |sum, byte| sum * 256 + u64::from(*byte));
        let until = self.clock.now().plus(KEPT_MS).plus(chance * JITTER_MS / 0x1_0000);
        let kept = Kept { secret: secret.clone(), until };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.clone(), kept);
    }

    async fn parameter(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let id = &reference.id;
        let answer = match self.parameters.get_parameter().name(id).with_decryption(true).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(match error.as_service_error() {
                    Some(GetParameterError::ParameterNotFound(_) | GetParameterError::ParameterVersionNotFound(_)) => {
                        missing(reference)
                    }
                    _ => unavailable(id, reason(&error)),
                });
            }
        };
        let value = answer.parameter.and_then(|parameter| parameter.value);
        value.filter(|value| !value.is_empty()).map(Secret::new).ok_or_else(|| missing(reference))
    }

    async fn secret(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let id = &reference.id;
        let answer = match self.secrets.get_secret_value().secret_id(id).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(match error.as_service_error() {
                    Some(GetSecretValueError::ResourceNotFoundException(_)) => missing(reference),
                    // It is scheduled for deletion: gone for all who use it.
                    Some(GetSecretValueError::InvalidRequestException(_)) => missing(reference),
                    _ => unavailable(id, reason(&error)),
                });
            }
        };
        let value = answer.secret_string.filter(|value| !value.is_empty());
        value.map(Secret::new).ok_or_else(|| missing(reference))
    }
}

#[async_trait]
impl SecretStore for Secrets {
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        if let Some(secret) = self.known(reference) {
            return Ok(secret);
        }
        let secret = match reference.source {
            SecretSource::Env => {
                let value = (self.variable)(&reference.id).filter(|value| !value.is_empty());
                return value.map(Secret::new).ok_or_else(|| missing(reference));
            }
            SecretSource::Ssm => self.parameter(reference).await?,
            SecretSource::SecretsManager => self.secret(reference).await?,
            SecretSource::File => return Err(SecretError::Unsupported(reference.source, "ssm, secretsmanager, env")),
        };
        self.keep(reference, &secret);
        Ok(secret)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secrets")
    }
}

fn missing(reference: &SecretRef) -> SecretError {
    let id = &reference.id;
    let fix = match reference.source {
        SecretSource::Ssm => {
            format!("create it: aws ssm put-parameter --type SecureString --name {id} --value \"$(cat file)\"")
        }
        SecretSource::SecretsManager => {
            format!("create it: aws secretsmanager create-secret --name {id} --secret-string \"$(cat file)\"")
        }
        SecretSource::Env | SecretSource::File => {
            "set the variable for this function in infra/template.yaml, or better refer to a parameter (ssm)".to_owned()
        }
    };
    SecretError::Missing { source_kind: reference.source, id: id.clone(), fix }
}

/// A refusal is among these, and not "missing": the stores answer so whether or not the secret is there.
fn unavailable(id: &str, reason: String) -> SecretError {
    let fix = "let the function's role read this name, and use the key it is encrypted with";
    let reason = if reason.starts_with("AccessDenied") { format!("{reason}; {fix}") } else { reason };
    SecretError::Unavailable { id: id.to_owned(), reason }
}
