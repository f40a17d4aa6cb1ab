//! The socket, with or without TLS, and the lines that come out of it.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::IrcSettings;
use super::line::decode;

/// Tags have 8191 bytes and the rest 512: <https://ircv3.net/specs/extensions/message-tags#size-limit>.
const MOST_LINE_BYTES: usize = 16 * 1024;

/// Both halves of a connection.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Connects. The error is for the log.
pub(super) async fn connect(settings: &IrcSettings) -> Result<Box<dyn Socket>, String> {
    let plain = TcpStream::connect((settings.host.as_str(), settings.port)).await.map_err(|error| error.to_string())?;
    plain.set_nodelay(true).map_err(|error| error.to_string())?;
    if !settings.tls {
        return Ok(Box::new(plain));
    }
    let name = ServerName::try_from(settings.host.clone()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::new(tls(settings.authorities.as_deref())?));
    let secure = connector.connect(name, plain).await.map_err(|error| format!("TLS: {error}"))?;
    Ok(Box::new(secure))
}

/// ring and the bundled roots, as the HTTP client has them.
fn tls(authorities: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authorities {
        let in_words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| in_words(&error))? {
            let certificate = certificate.map_err(|error| in_words(&error))?;
            roots.add(certificate).map_err(|error| in_words(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Sends each line on, without its end, until the connection ends; then why it did.
pub(super) async fn read_lines(socket: impl AsyncRead + Unpin, lines: mpsc::Sender<Result<String, String>>) {
    let mut socket = BufReader::new(socket);
    let mut line = Vec::new();
    let why = loop {
        let seen = match socket.fill_buf().await {
            Ok([]) => break "the server closed the connection".to_owned(),
            Ok(seen) => seen,
            Err(error) => break error.to_string(),
        };
        let (taken, whole) = match seen.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (seen.len(), false),
        };
        line.extend(seen.iter().take(taken));
        socket.consume(taken);
        if line.len() > MOST_LINE_BYTES {
            break "the server sent a line without an end".to_owned();
        }
        if whole {
            let text = decode(line.trim_ascii_end()).trim_end_matches(['\r', '\n', '\0']).to_owned();
            line.clear();
            if lines.send(Ok(text)).await.is_err() {
                return;
            }
        }
    };
    let _ = lines.send(Err(why)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_found_in_whatever_pieces_they_come() {
        let (send, mut lines) = mpsc::channel(8);
        let (mut server, ours) = tokio::io::duplex(8);
        let read = tokio::spawn(read_lines(ours, send));
        tokio::io::AsyncWriteExt::write_all(&mut server, b"PING :a\r\n\r\nPRIVMSG x :gr\xf6\xdfe\nhalf").await.unwrap();
        drop(server);
        let mut seen = Vec::new();
        while let Some(line) = lines.recv().await {
            seen.push(line);
        }
        let told = |line: &str| Ok(line.to_owned());
        let closed = Err("the server closed the connection".to_owned());
        assert_eq!(seen, [told("PING :a"), told(""), told("PRIVMSG x :größe"), closed]);
        read.await.unwrap();
    }

    #[tokio::test]
    async fn a_line_without_an_end_fills_no_memory() {
        let (send, mut lines) = mpsc::channel(8);
        tokio::spawn(read_lines(tokio::io::repeat(b'x'), send));
        assert!(lines.recv().await.unwrap().unwrap_err().contains("without an end"));
    }
}
