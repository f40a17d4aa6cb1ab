//! The API key a gateway makes for itself when the configuration has none.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use chela_core::clock::Clock;
use chela_core::secret::Secret;

/// The file, in the data folder, readable by its owner only.
const FILE: &str = "api-key";

/// The key of this data folder; made on first use.
pub(crate) fn own_key(data: &Path, clock: &dyn Clock) -> anyhow::Result<Secret> {
    if let Some(key) = read_key(data)? {
        return Ok(key);
    }
    let key = format!("chela-{}{}", clock.unique(), clock.unique());
    let path = data.join(FILE);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(key.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Secret::new(key))
}

/// The key of a data folder, if one was made.
pub(crate) fn read_key(data: &Path) -> anyhow::Result<Option<Secret>> {
    let path = data.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(Secret::new(key.trim()))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
