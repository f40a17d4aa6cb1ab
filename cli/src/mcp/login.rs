//! `chela mcp login`: a person signs in, and what that leaves is kept as a secret.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chela_app::mcp::Grants;
use chela_config::{Config, SecretInput};
use chela_core::secret::{Secret, SecretRef, SecretSource, SecretStore as _};
use chela_mcp::oauth::{Grant, Login, Wanted};
use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::place::Place;
use crate::show::{CODE, FAINT, GOOD, line, note};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Longest request of a browser that is read.
const MOST_BYTES: usize = 16 * 1024;

#[derive(Debug, Args)]
pub(crate) struct LoginOptions {
    /// The server
    server: String,
    /// Keep nothing here; print the command that puts the login into this parameter on AWS
    #[arg(long, value_name = "PARAMETER")]
    ssm: Option<String>,
}

impl LoginOptions {
    pub(crate) async fn run(&self, place: &Place) -> anyhow::Result<()> {
        let live = place.live().await?;
        let built = live.current().await;
        let name = &self.server;
        let server = built.config.mcp.servers.get(name);
        let server = server.with_context(|| format!("mcp.servers.{name} is not in the configuration"))?;
        let url =
            server.url.as_deref().with_context(|| format!("mcp.servers.{name} is a program: it wants no login"))?;
        // Only this machine can knock at this door, and only while we wait.
        let door = TcpListener::bind("127.0.0.1:0").await.context("no port is free for the browser to come back to")?;
        let redirect = format!("http://{}/callback", door.local_addr()?);
        let client_secret = match &server.oauth.client_secret {
            None => None,
            Some(SecretInput::Value(secret)) => Some(secret.clone()),
            Some(SecretInput::Ref(reference)) => Some(Place::secrets().get(reference).await?),
        };
        let (client_id, scope) = (server.oauth.client_id.clone(), server.oauth.scope.clone());
        let wanted = Wanted { client_id, client_secret, scope, redirect };
        let clock = Place::clock();
        let login = Login::begin(url, wanted, clock.as_ref()).await?;
        note(&format!("Sign in to {} at {} in a browser on this machine:", url, login.issuer()));
        note(&format!("  {CODE}{}{CODE:#}", login.address()));
        let query = tokio::time::timeout(PATIENCE, answered(&door)).await.context("nobody signed in")??;
        let grant = login.finish(&query, clock.as_ref()).await?;
        self.keep(&built.config, place, &grant)
    }

    fn keep(&self, config: &Config, place: &Place, grant: &Grant) -> anyhow::Result<()> {
        let renewed = if grant.renews() { "it renews itself" } else { "sign in again when it ends" };
        if let Some(parameter) = &self.ssm {
            note(&format!("{GOOD}signed in{GOOD:#}: {renewed}. Nothing is kept here; this keeps it on AWS:"));
            let value = grant.text().expose().replace('\'', "'\\''");
            line(&format!(
                "aws ssm put-parameter --type SecureString --overwrite --name '{}' --value '{value}'",
                parameter.replace('\'', "")
            ));
            return Ok(());
        }
        let kept = place_of(config, place, &self.server);
        let Some(SecretRef { source: SecretSource::File, id }) = kept else {
            anyhow::bail!(
                "mcp.servers.{}.oauth.grant is no file: use --ssm to print the command that keeps it",
                self.server
            );
        };
        write(Path::new(&id), &grant.text())?;
        note(&format!("{GOOD}signed in{GOOD:#}: {renewed}. {FAINT}kept in {id}{FAINT:#}"));
        Ok(())
    }
}

/// Whether somebody has signed in to a server, as far as it can be told here.
pub(super) async fn is_signed_in(config: &Config, place: &Place, server: &str) -> bool {
    match place_of(config, place, server) {
        Some(reference) => Place::secrets().get(&reference).await.is_ok_and(|text| Grant::read(&text).is_some()),
        None => true,
    }
}

fn place_of(config: &Config, place: &Place, server: &str) -> Option<SecretRef> {
    match config.mcp.servers.get(server).and_then(|server| server.oauth.grant.clone()) {
        Some(SecretInput::Ref(reference)) => Some(reference),
        Some(SecretInput::Value(_)) => None,
        None => Grants::Folder(place.data.join("mcp")).of(server),
    }
}

/// Written beside and moved into place, readable by its owner only from its first byte on.
fn write(path: &Path, text: &Secret) -> anyhow::Result<()> {
    let folder = path.parent().context("the file is in no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    let beside = path.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .with_context(|| format!("cannot write {}", beside.display()))?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}

/// The query with which the browser comes back. Whatever else it asks for on the way gets nothing.
async fn answered(door: &TcpListener) -> anyhow::Result<String> {
    loop {
        let (mut socket, _) = door.accept().await?;
        let mut bytes = Vec::new();
        let head = tokio::time::timeout(Duration::from_secs(5), async {
            while bytes.len() < MOST_BYTES && !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
                if socket.read_buf(&mut bytes).await? == 0 {
                    break;
                }
            }
            Ok::<_, std::io::Error>(())
        });
        if !matches!(head.await, Ok(Ok(()))) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let target = text.lines().next().and_then(|line| line.strip_prefix("GET ")?.split(' ').next());
        let query = target.and_then(|target| target.strip_prefix("/callback?")).map(str::to_owned);
        let (status, words) = match &query {
            Some(_) => ("200 OK", "You can close this page and go back to the terminal."),
            None => ("404 Not Found", "There is nothing here."),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{words}",
            words.len()
        );
        let _ = socket.write_all(answer.as_bytes()).await;
        let _ = socket.shutdown().await;
        if let Some(query) = query {
            return Ok(query);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_login_is_readable_by_its_owner_alone_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp/docs.json");
        for text in ["first, which is longer", "second"] {
            write(&path, &Secret::new(text)).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path().join("mcp")).unwrap().count(), 1);
    }
}
