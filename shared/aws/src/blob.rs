//! Files in an S3 bucket.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use chela_core::blob::{Blob, BlobError, BlobStore, Listed, Precondition, check_key};

use crate::client::{AwsClients, reason};
use crate::environment::{AwsEnvironment, MissingVariable};

/// Most keys S3 lists at once.
const PAGE: usize = 1000;

/// Files in one S3 bucket. The role needs `s3:ListBucket` beside `s3:GetObject`: without it S3 answers 403 instead of
/// 404 for a file that is not there, which is then an error and not `None`.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// Needs `CHELA_BUCKET`. Does no I/O.
    pub fn new(clients: &AwsClients, environment: &AwsEnvironment) -> Result<Self, MissingVariable> {
        let mut config = aws_sdk_s3::config::Builder::from(clients.config());
        // An emulator has one host name for all buckets.
        config.set_force_path_style(clients.emulated().then_some(true));
        Ok(Self { client: Client::from_conf(config.build()), name: environment.bucket()?.to_owned() })
    }

    /// Opens the connection, so that the first turn does not wait for it: asks for the head of the configuration. A
    /// refusal is an answer; an error means that nothing answered. Twice is harmless.
    pub async fn warm(&self) -> Result<(), BlobError> {
        match self.client.head_object().bucket(&self.name).key("config/chela.json5").send().await {
            Ok(_) | Err(SdkError::ServiceError(_)) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// `If-None-Match` carries the tag the caller has.
    async fn fetch(&self, key: &str, known: Option<&str>) -> Result<Option<Blob>, BlobError> {
        check_key(key)?;
        let get = self.client.get_object().bucket(&self.name).key(key).set_if_none_match(known.map(quoted));
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) if matches!(status(&error), Some(304)) => return Ok(None),
            Err(error) if is_missing_key(&error) => return Ok(None),
            Err(error) => return Err(self.failed(&error)),
        };
        let etag = unquoted(object.e_tag());
        let body = object.body.collect().await.map_err(|error| BlobError::Unavailable(error.to_string()))?;
        Ok(Some(Blob { bytes: body.into_bytes(), etag }))
    }

    fn failed<E: ProvideErrorMetadata>(&self, error: &SdkError<E, HttpResponse>) -> BlobError {
        let reason = reason(error);
        match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("NoSuchBucket") => BlobError::Unavailable(format!(
                "there is no bucket \"{}\"; set CHELA_BUCKET to the stack's bucket ({reason})",
                self.name
            )),
            _ => BlobError::Unavailable(reason),
        }
    }
}

#[async_trait]
impl BlobStore for Bucket {
    async fn get(&self, key: &str) -> Result<Option<Blob>, BlobError> {
        self.fetch(key, None).await
    }

    async fn get_if_changed(&self, key: &str, etag: &str) -> Result<Option<Blob>, BlobError> {
        self.fetch(key, Some(etag)).await
    }

    async fn put(&self, key: &str, bytes: Bytes, precondition: Precondition) -> Result<String, BlobError> {
        check_key(key)?;
        let put = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes));
        let put = match &precondition {
            Precondition::None => put,
            Precondition::Absent => put.if_none_match("*"),
            Precondition::Matches(etag) => put.if_match(quoted(etag)),
        };
        let conditional = precondition != Precondition::None;
        match put.send().await {
            Ok(answer) => Ok(unquoted(answer.e_tag())),
            // 412: another content; 409: another conditional write is on its way; 404: nothing there to match.
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
            Err(error) if conditional && matches!(status(&error), Some(409 | 412)) => {
                Err(BlobError::Conflict(key.to_owned()))
            }
            Err(error) if conditional && is_missing_key(&error) => Err(BlobError::Conflict(key.to_owned())),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>. The bucket keeps versions: what is
    /// removed here can be brought back by whoever may read those.
    async fn delete(&self, key: &str, etag: Option<&str>) -> Result<(), BlobError> {
        check_key(key)?;
        let delete = self.client.delete_object().bucket(&self.name).key(key).set_if_match(etag.map(quoted));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing_key(&error) => Ok(()),
            Err(error) if matches!(status(&error), Some(409 | 412)) => Err(BlobError::Conflict(key.to_owned())),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Signed here, without a call; whoever has it can read this one file until then.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ShareObjectPreSignedURL.html>
    async fn link(&self, key: &str, valid: Duration) -> Result<Option<String>, BlobError> {
        check_key(key)?;
        let unsigned = |error: String| BlobError::Unavailable(format!("no link could be signed: {error}"));
        let config = PresigningConfig::expires_in(valid).map_err(|error| unsigned(error.to_string()))?;
        let link = self.client.get_object().bucket(&self.name).key(key).presigned(config).await;
        link.map(|link| Some(link.uri().to_owned())).map_err(|error| unsigned(reason(&error)))
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Listed>, BlobError> {
        let mut listed = Vec::new();
        let mut token = None;
        while listed.len() < limit {
            let missing = limit.saturating_sub(listed.len()).min(PAGE);
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(prefix)
                .max_keys(i32::try_from(missing).unwrap_or(1))
                .set_continuation_token(token)
                .send()
                .await
                .map_err(|error| self.failed(&error))?;
            listed.extend(page.contents().iter().map(|object| Listed {
                key: object.key().unwrap_or_default().to_owned(),
                etag: unquoted(object.e_tag()),
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            }));
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        Ok(listed)
    }
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn is_missing_key<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchKey")
}
