//! Starts Chromium: with an empty profile of its own that goes when it goes, and with the proxy as its only way out.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Where Chromium and Chrome usually are.
const USUAL: [&str; 9] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/google-chrome",
    "/opt/google/chrome/chrome",
    "/snap/bin/chromium",
    "/opt/homebrew/bin/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Where a window is shown.
const SCREEN: [&str; 4] = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR"];

/// Longest way from the start to the open door.
const WITHIN: Duration = Duration::from_secs(20);

/// <https://github.com/GoogleChrome/chrome-launcher/blob/main/docs/chrome-flags-for-tools.md>
const FLAGS: [&str; 22] = [
    "--remote-debugging-port=0",
    "--remote-debugging-address=127.0.0.1",
    // Loopback too goes to the proxy, which refuses it.
    "--proxy-bypass-list=<-loopback>",
    // Whatever went around the proxy would find no name.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--dns-prefetch-disable",
    "--disable-quic",
    // Calls between browsers take no way that is not the proxy's.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--deny-permission-prompts",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--window-size=1280,900",
];

/// How Chromium is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub executable: PathBuf,
    /// Without a window.
    pub headless: bool,
    /// Without Chromium's own sandbox.
    pub no_sandbox: bool,
}

/// The program, where it is configured or where it usually is; `None` if it is not there.
pub fn find_chromium(configured: Option<&str>) -> Option<PathBuf> {
    let places = configured.map_or_else(|| USUAL.to_vec(), |path| vec![path]);
    places.into_iter().map(Path::new).find(|path| path.is_file()).map(Path::to_owned)
}

/// Chromium, until this value is dropped.
pub(crate) struct Chromium {
    child: Child,
    profile: TempDir,
    /// Where it is spoken to: host and port, and the path of its DevTools.
    pub(crate) door: (SocketAddr, String),
}

impl Chromium {
    pub(crate) async fn start(launch: &Launch, proxy: SocketAddr) -> Result<Self, String> {
        let cannot =
            |what: &str, error: &dyn std::fmt::Display| format!("Chromium cannot be started: {what}: {error}.");
        let profile =
            tempfile::Builder::new().prefix("chela-browser-").tempdir().map_err(|e| cannot("no folder", &e))?;
        let log = File::create(profile.path().join("stderr")).map_err(|error| cannot("no log", &error))?;
        let mut command = Command::new(&launch.executable);
        command.args(FLAGS).arg(format!("--proxy-server=http://{proxy}"));
        command.arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        // Nothing of our environment: keys of providers stand in it. A window needs to know its screen, no more.
        command.env_clear();
        if launch.headless {
            command.arg("--headless=new");
        } else {
            command.envs(SCREEN.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        }
        if launch.no_sandbox {
            command.arg("--no-sandbox");
        }
        command.env("HOME", profile.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
        command.current_dir(profile.path()).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let child = command.spawn().map_err(|error| cannot(&launch.executable.display().to_string(), &error))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut started = Self { child, profile, door: (nowhere, String::new()) };
        started.door = started.opened().await?;
        Ok(started)
    }

    /// Waits until Chromium has written where it listens: a port, and on the next line a path.
    async fn opened(&mut self) -> Result<(SocketAddr, String), String> {
        let file = self.profile.path().join("profile/DevToolsActivePort");
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            if let Ok(text) = std::fs::read_to_string(&file)
                && let Some((port, path)) = text.split_once('\n')
                && let Ok(port) = port.trim().parse::<u16>()
                && path.starts_with('/')
            {
                return Ok((SocketAddr::from(([127, 0, 0, 1], port)), path.trim().to_owned()));
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("Chromium ended at once ({status}): {}", self.complaint()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("Chromium did not open its door within {} seconds: {}", WITHIN.as_secs(), self.complaint()))
    }

    /// What it says is wrong, and what would help.
    fn complaint(&self) -> String {
        let log = std::fs::read_to_string(self.profile.path().join("stderr")).unwrap_or_default();
        if log.contains("no-sandbox") || log.contains("No usable sandbox") {
            return "its sandbox cannot work here. Run Chela as another user than root and with user namespaces, or set \
                    browser.noSandbox where a container is around it."
                .to_owned();
        }
        let last: String = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").into();
        last.chars().filter(|c| !c.is_control()).take(200).collect()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}
