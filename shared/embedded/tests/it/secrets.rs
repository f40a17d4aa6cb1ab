use chela_core::secret::{SecretError, SecretRef, SecretSource, SecretStore};
use chela_embedded::LocalSecrets;

async fn of_file(content: &[u8]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, content).unwrap();
    get(SecretSource::File, &path.display().to_string(), "").await
}

/// The secret, or the fix.
async fn get(source: SecretSource, id: &str, value: &str) -> Result<String, String> {
    let value = value.to_owned();
    let secrets = LocalSecrets::new(move |_| Some(value.clone()));
    match secrets.get(&SecretRef { source, id: id.to_owned() }).await {
        Ok(secret) => Ok(secret.expose().to_owned()),
        Err(SecretError::Missing { fix, .. }) => Err(fix),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn one_trailing_line_break_is_not_part_of_a_secret() {
    for (content, secret) in
        [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("a\r", "a\r")]
    {
        assert_eq!(of_file(content.as_bytes()).await.as_deref(), Ok(secret), "{content:?}");
    }
}

#[tokio::test]
async fn an_empty_secret_is_a_missing_one() {
    assert!(get(SecretSource::Env, "TOKEN", "").await.unwrap_err().contains("empty"));
    for content in ["", "\n", "\r\n"] {
        assert!(of_file(content.as_bytes()).await.unwrap_err().contains("empty"), "{content:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_a_secret_file_is_refused_with_the_fix() {
    assert!(of_file(&[0xff, 0xfe]).await.unwrap_err().contains("UTF-8"));
    assert!(of_file(&[b'x'; 64 * 1024]).await.is_ok());
    assert!(of_file(&[b'x'; 64 * 1024 + 1]).await.unwrap_err().contains("65536"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    assert!(get(SecretSource::File, &path, "").await.unwrap_err().contains("folder"));
    assert!(get(SecretSource::File, &format!("{path}/none"), "").await.unwrap_err().contains("create it"));
}
