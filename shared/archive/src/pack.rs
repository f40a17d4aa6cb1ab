//! Packing: a gzipped tar archive, and the same as text for JSON.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{ArchiveError, Files, Limits, untar_gz};

/// Packs files; the same files always give the same bytes. Scripts can be run afterwards, nothing else can.
pub fn pack<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Vec<u8>, ArchiveError> {
    let unreadable = |error: std::io::Error| ArchiveError::Unreadable(error.to_string());
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        crate::check_name(name)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode(bytes));
        archive.append_data(&mut header, name, bytes).map_err(unreadable)?;
    }
    archive.into_inner().and_then(GzEncoder::finish).map_err(unreadable)
}

/// What a file may be used for: stores keep no modes, so the first line decides.
fn mode(bytes: &[u8]) -> u32 {
    if bytes.starts_with(b"#!") { 0o755 } else { 0o644 }
}

/// An archive as text; no files are no text.
pub fn to_text<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<String, ArchiveError> {
    let mut files = files.into_iter().peekable();
    if files.peek().is_none() {
        return Ok(String::new());
    }
    Ok(STANDARD.encode(pack(files)?))
}

/// The files of an archive that came as text.
pub fn from_text(text: &str, limits: Limits) -> Result<Files, ArchiveError> {
    if text.is_empty() {
        return Ok(Files::new());
    }
    let packed = STANDARD.decode(text).map_err(|error| ArchiveError::Unreadable(error.to_string()))?;
    untar_gz(packed.as_slice().take(u64::MAX), limits, |_| true)
}
