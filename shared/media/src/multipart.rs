//! A form with a file in it (RFC 7578).

use sha2::{Digest, Sha256};

/// A form being put together.
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// An empty form around this file's bytes, from which the boundary is made: the same file gives the same form.
    pub(crate) fn around(file: &[u8]) -> Self {
        let mut boundary = hex::encode(Sha256::digest(file));
        // Bytes that hold their own digest cannot be made, but a boundary is checked, not believed in.
        while contains(file, boundary.as_bytes()) {
            boundary.push('x');
        }
        Self { boundary: format!("chela{boundary}"), body: Vec::with_capacity(file.len().saturating_add(1024)) }
    }

    /// Adds a value. Names are our own.
    pub(crate) fn value(&mut self, name: &str, value: &str) {
        let head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n", self.boundary);
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(value.as_bytes());
        self.body.extend_from_slice(b"\r\n");
    }

    /// Adds the file.
    pub(crate) fn file(&mut self, name: &str, filename: &str, content_type: &str, bytes: &[u8]) {
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: \
             {content_type}\r\n\r\n",
            self.boundary
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
    }

    /// Its content type and body.
    pub(crate) fn end(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
