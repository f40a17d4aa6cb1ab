//! Requests as AWS wants them signed, for the few that do not earn an SDK, which would weigh a megabyte each: the sandbox,
//! Bedrock, SES. Signed by AWS's own crate.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};

/// Keys of AWS, as `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// The name of the key.
    pub id: String,
    /// The key.
    pub secret: Secret,
    /// What goes with keys that expire.
    pub session: Option<Secret>,
}

/// Signs for one service in one region.
#[derive(Clone)]
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
}

/// What is signed.
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole URL.
    pub url: &'a str,
    /// What the body is, if there is one.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Signer {
    /// Space around a key, which comes of copying it, does not count.
    pub fn new(keys: &AwsKeys, region: impl Into<String>, service: &'static str) -> Self {
        let session = keys.session.as_ref().map(|session| session.expose().trim().to_owned());
        let credentials = Credentials::new(keys.id.trim(), keys.secret.expose().trim(), session, None, "chela");
        Self { credentials, region: region.into(), service }
    }

    /// The headers that make a request ours; `None` if it cannot be written as a request at all. They are marked sensitive.
    pub fn headers(&self, request: &Unsigned<'_>, now: Millis) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(now.0))?)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = request.content_type.map(|content_type| (CONTENT_TYPE.as_str(), content_type));
        let body = SignableBody::Bytes(request.body);
        let signable = SignableRequest::new(request.method.as_str(), request.url, headers.into_iter(), body).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let headers = instructions.headers().map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        headers.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what breaks here is a failed test")]

    use super::*;

    /// That AWS's own SDK for Python agrees with a signature is tested where requests are sent: Bedrock and SES.
    #[test]
    fn a_signature_names_its_scope_and_covers_the_body() {
        let keys = AwsKeys {
            id: " AKIDEXAMPLE\n".into(),
            secret: Secret::new("wJalrXUtnFEMI"),
            session: Some(Secret::new("t")),
        };
        let signer = Signer::new(&keys, "eu-central-1", "lambda");
        let signed = |body: &[u8], content_type| {
            let request = Unsigned {
                method: &Method::POST,
                url: "https://lambda.eu-central-1.amazonaws.com/x",
                content_type,
                body,
            };
            let headers = signer.headers(&request, Millis(1_800_000_000_000)).unwrap();
            headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let one = signed(b"{}", Some("application/json"));
        assert!(one.contains("Credential=AKIDEXAMPLE/20270115/eu-central-1/lambda/aws4_request"), "{one}");
        assert!(one.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"), "{one}");
        assert!(one.contains("x-amz-security-token: t"), "{one}");
        assert_ne!(one, signed(b"{ }", Some("application/json")));
        assert!(!signed(b"", None).contains("content-type"));
    }
}
