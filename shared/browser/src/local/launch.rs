//! Starts Chromium: with an empty profile of its own that goes when it goes, and with the proxy as its only way out.

use std::fs::{File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tempfile::TempDir;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Names of the program, as one looks for it along `PATH`.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Where it is on a Mac, which has no `PATH` to it.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Where a window is shown.
const SCREEN: [&str; 4] = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR"];

/// Whoever owns nothing. Chromium's own sandbox does not work for root, and needs not: it is started as this user then.
const NOBODY: u32 = 65_534;

/// How long it may take to end by itself.
const END_WITHIN: Duration = Duration::from_secs(3);

/// The DevTools are two pipes: nobody else on this machine can use them, and Chromium ends when we do, however we end.
const PIPES: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null";

/// <https://github.com/GoogleChrome/chrome-launcher/blob/main/docs/chrome-flags-for-tools.md>
const FLAGS: [&str; 30] = [
    "--remote-debugging-pipe",
    // Loopback too goes to the proxy, which refuses it.
    "--proxy-bypass-list=<-loopback>",
    // Whatever went around the proxy would find no name.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--dns-prefetch-disable",
    "--disable-quic",
    // Calls between browsers take no way that is not the proxy's.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    // Looks for televisions in the network.
    "--media-router=0",
    "--disable-features=MediaRouter,DialMediaRouteProvider,OptimizationHints,Translate,AutofillServerCommunication,Prerender2",
    // Otherwise it speaks with its maker by itself.
    "--allow-browser-signin=false",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-domain-reliability",
    "--disable-field-trial-config",
    "--no-pings",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-breakpad",
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

/// Names are looked up by the proxy, not by a service that Chromium would ask by itself.
const LOCAL_STATE: &str = r#"{"dns_over_https":{"mode":"off","templates":""}}"#;

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

/// The program: where it is configured, or else where `path` (the variable `PATH`) leads to it. `None` if it is not there.
pub fn find_chromium(configured: Option<&str>, path: &str) -> Option<PathBuf> {
    if let Some(configured) = configured {
        return Some(PathBuf::from(configured)).filter(|path| path.is_file());
    }
    let along = std::env::split_paths(path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    along.chain(APPLICATIONS.map(PathBuf::from)).find(|path| path.is_file())
}

/// A Chromium that ends with this value, and its profile with it.
#[derive(Debug)]
pub(crate) struct Chromium {
    child: Child,
    /// Dropped last.
    profile: TempDir,
}

impl Launch {
    /// Starts it: the browser, and the pipes to speak with it. Whether it came up shows when it is spoken with.
    pub(crate) fn start(&self, proxy: SocketAddr) -> Result<(Chromium, ChildStdin, ChildStdout), String> {
        let cannot =
            |what: &str, error: &dyn std::fmt::Display| format!("Chromium cannot be started: {what}: {error}.");
        let as_nobody = geteuid().is_root();
        let profile = profile(as_nobody).map_err(|error| cannot("no folder for its profile", &error))?;
        let home = profile.path();
        let log = File::create(home.join("stderr")).map_err(|error| cannot("no log", &error))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", PIPES, "sh"]).arg(&self.executable).args(FLAGS);
        command.arg(format!("--proxy-server=http://{proxy}"));
        command.arg(format!("--user-data-dir={}", home.join("profile").display()));
        // Nothing of our environment: keys of providers stand in it. A window needs to know its screen, no more.
        command.env_clear();
        if self.headless {
            command.arg("--headless=new");
        } else {
            command.envs(SCREEN.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        }
        if self.no_sandbox {
            command.arg("--no-sandbox");
        }
        if as_nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8");
        command.current_dir(home).arg("about:blank").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().map_err(|error| cannot(&self.executable.display().to_string(), &error))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let chromium = Chromium { child, profile };
        match (to, from) {
            (Some(to), Some(from)) => Ok((chromium, to, from)),
            _ => Err("Chromium cannot be started: it has no pipes.".to_owned()),
        }
    }
}

impl Chromium {
    /// What it said is wrong before it ended, and what would help.
    pub(crate) fn complaint(&self) -> String {
        let log = std::fs::read_to_string(self.profile.path().join("stderr")).unwrap_or_default();
        if log.contains("no-sandbox") || log.contains("No usable sandbox") {
            return "its own sandbox cannot work here: it needs user namespaces, which many containers forbid. Allow them, or \
                    set tools.browser.noSandbox where the container itself is the wall"
                .to_owned();
        }
        let last: String = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").into();
        last.chars().filter(|c| !c.is_control()).take(200).collect()
    }

    /// Waits until it has ended, which it does by itself when its pipes are closed.
    pub(crate) async fn end(mut self) {
        // What does not end in time is ended by the drop.
        let _ = tokio::time::timeout(END_WITHIN, self.child.wait()).await;
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // Whoever is gone already needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
        // A process that is being ended may still add a file to a folder that is being removed.
        for _ in 0..10 {
            if std::fs::remove_dir_all(self.profile.path()).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// An empty profile that only its user can look into.
fn profile(as_nobody: bool) -> std::io::Result<TempDir> {
    let folder =
        tempfile::Builder::new().prefix("chela-browser-").permissions(Permissions::from_mode(0o700)).tempdir()?;
    let inner = folder.path().join("profile");
    std::fs::create_dir(&inner)?;
    std::fs::write(inner.join("Local State"), LOCAL_STATE)?;
    if as_nobody {
        for path in [folder.path(), &inner, &inner.join("Local State")] {
            own(path)?;
        }
    }
    Ok(folder)
}

fn own(path: &Path) -> std::io::Result<()> {
    chown(path, Some(NOBODY), Some(NOBODY))
}
