//! ngIRCd, as `tools/bootstrap irc` unpacks it. <https://ngircd.barton.de/man/ngircd.conf.5.html>

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};

use super::PATIENCE;

/// A server of its own, on a port of its own.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) password: Option<String>,
    folder: TempDir,
    process: Child,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::started(None).await
    }

    pub(crate) async fn start_with_password(password: &str) -> Self {
        Self::started(Some(password.to_owned())).await
    }

    async fn started(password: Option<String>) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let asked = password.as_ref().map_or_else(String::new, |password| format!("Password = {password}\n"));
        let config = format!(
            "[Global]\nName = irc.test.local\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nServerUID = nobody\n\
             ServerGID = nogroup\n{asked}[Limits]\nMaxConnectionsIP = 0\nMaxPenaltyTime = 0\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\n[Channel]\nName = #lobby\n"
        );
        std::fs::write(folder.path().join("ngircd.conf"), config).unwrap();
        let process = run(folder.path());
        let server = Self { port, password, folder, process };
        server.listens().await;
        server
    }

    /// Starts the same server anew.
    pub(crate) async fn restart(&mut self) {
        self.process = run(self.folder.path());
        self.listens().await;
    }

    /// As if the machine had lost its power.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    async fn listens(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
            assert!(Instant::now() < until, "ngircd does not listen");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(folder: &Path) -> Child {
    let unpacked = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/irc/bin/ngircd");
    let ngircd = std::env::var_os("CHELA_NGIRCD").map_or_else(unpacked, PathBuf::from);
    let mut command = Command::new(&ngircd);
    command
        .arg("-n")
        .arg("-f")
        .arg(folder.join("ngircd.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{} cannot run ({error}): tools/bootstrap irc", ngircd.display()))
}

/// A port nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
