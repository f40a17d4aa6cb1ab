//! `multipart/form-data`, for platforms that take files no other way. <https://www.rfc-editor.org/rfc/rfc7578>

use bytes::Bytes;
use http::HeaderValue;

use crate::api::ApiCall;

/// A form, written field by field.
pub struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// An empty form. `seed` is a word the content cannot contain by chance, such as an idempotency key: the same form is
    /// written the same way again.
    pub fn new(seed: &str) -> Self {
        let word: String = seed.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        Self { boundary: format!("chela-{word}"), body: Vec::new() }
    }

    /// With a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.head(&format!("name=\"{}\"", quoted(name)), None);
        self.part(value.as_bytes())
    }

    /// With a text of another type, as JSON.
    #[must_use]
    pub fn typed(mut self, name: &str, content_type: &str, value: &str) -> Self {
        self.head(&format!("name=\"{}\"", quoted(name)), Some(content_type));
        self.part(value.as_bytes())
    }

    /// With a file.
    #[must_use]
    pub fn file(mut self, name: &str, file_name: &str, content_type: &str, bytes: &[u8]) -> Self {
        let disposition = format!("name=\"{}\"; filename=\"{}\"", quoted(name), quoted(file_name));
        self.head(&disposition, Some(content_type));
        self.part(bytes)
    }

    /// Puts the form into a call, with its content type.
    #[must_use]
    pub fn into_call<'a>(mut self, mut call: ApiCall<'a>) -> ApiCall<'a> {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        let content_type = format!("multipart/form-data; boundary={}", self.boundary);
        let content_type =
            HeaderValue::from_str(&content_type).unwrap_or_else(|_| HeaderValue::from_static("multipart/form-data"));
        call.body = Some((content_type, Bytes::from(self.body)));
        call
    }

    fn head(&mut self, disposition: &str, content_type: Option<&str>) {
        let mut head = format!("--{}\r\nContent-Disposition: form-data; {disposition}\r\n", self.boundary);
        if let Some(content_type) = content_type {
            let content_type: String = content_type.chars().filter(|c| !c.is_control()).collect();
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        head.push_str("\r\n");
        self.body.extend_from_slice(head.as_bytes());
    }

    fn part(mut self, bytes: &[u8]) -> Self {
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
        self
    }
}

/// A name that cannot leave its quotes, escaped as browsers do.
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => quoted.push_str("%22"),
            '\r' => quoted.push_str("%0D"),
            '\n' => quoted.push_str("%0A"),
            _ => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_form_is_written_as_the_rfc_shows() {
        let form = Form::new("k-1/2").text("a", "x").file("f", "n\"\r\n.png", "image/png", b"\x00\xff");
        let call = form.into_call(ApiCall::post("u", "text/plain", Bytes::new(), Duration::ZERO));
        let (content_type, body) = call.body.unwrap();
        assert_eq!(content_type, "multipart/form-data; boundary=chela-k12");
        let wanted: &[&[u8]] = &[
            b"--chela-k12\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n",
            b"--chela-k12\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n%22%0D%0A.png\"\r\n",
            b"Content-Type: image/png\r\n\r\n\x00\xff\r\n--chela-k12--\r\n",
        ];
        assert_eq!(body, wanted.concat());
    }
}
