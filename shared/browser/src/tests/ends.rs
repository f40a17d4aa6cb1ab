//! How a browser begins and ends.

use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::*;

/// The arguments of a process, or its environment.
fn words_of(process: &Path, what: &str) -> Vec<String> {
    let bytes = std::fs::read(process.join(what)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split('\0').map(str::to_owned).collect()
}

/// The processes of the browser behind this proxy.
fn processes(proxy: &str) -> Vec<PathBuf> {
    let word = format!("--proxy-server=http://{proxy}");
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    all.filter(|process| words_of(process, "cmdline").contains(&word)).collect()
}

/// The folder of its profile.
fn folder(process: &Path) -> PathBuf {
    let words = words_of(process, "cmdline");
    let profile = words.iter().find_map(|word| word.strip_prefix("--user-data-dir=")).unwrap();
    Path::new(profile).parent().unwrap().to_owned()
}

/// The group of processes it is in (proc_pid_stat(5)).
fn group_of(process: &Path) -> Option<i32> {
    status_of(process, 2)
}

fn parent_of(process: &Path) -> Option<i32> {
    status_of(process, 1)
}

fn status_of(process: &Path, nth: usize) -> Option<i32> {
    let status = std::fs::read_to_string(process.join("stat")).ok()?;
    status.rsplit(')').next()?.split_whitespace().nth(nth)?.parse().ok()
}

/// The proxy of this process's own browser.
fn own_proxy() -> String {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut own = all.filter(|process| parent_of(process) == i32::try_from(std::process::id()).ok());
    let proxy = own.find_map(|process| {
        let words = words_of(&process, "cmdline");
        words.iter().find_map(|word| word.strip_prefix("--proxy-server=http://").map(str::to_owned))
    });
    proxy.unwrap()
}

async fn gone(proxy: &str) -> bool {
    for _ in 0..100 {
        if processes(proxy).is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn opened() -> (Site, World, Browser, String, PathBuf) {
    let (site, world) = (Site::open().await, World::new());
    site.html("/", "<h1>Here</h1>");
    let tool = browser(&[&site]);
    world.open(&tool, &site.url).await;
    let proxy = own_proxy();
    let folder = folder(processes(&proxy).first().unwrap());
    assert!(folder.is_dir());
    (site, world, tool, proxy, folder)
}

/// Seen red: with `--no-sandbox`; started as root; with the environment passed on.
#[tokio::test]
async fn chromium_has_its_sandbox_no_rights_and_nothing_of_ours() {
    let (_site, _world, _tool, proxy, folder) = opened().await;
    let status = |process: &Path, key: &str| {
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix(key).map(|rest| rest.trim().to_owned())).unwrap_or_default()
    };
    let processes = processes(&proxy);
    let browser =
        processes.iter().find(|process| !words_of(process, "cmdline").iter().any(|word| word.starts_with("--type=")));
    let browser = browser.unwrap();
    assert!(!status(browser, "Uid:").split_whitespace().any(|id| id == "0"), "it runs as root");
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let group = group_of(browser);
    let renders = |process: &PathBuf| {
        group_of(process) == group && words_of(process, "cmdline").join(" ").contains("--type=renderer")
    };
    let renderers: Vec<PathBuf> = all.filter(renders).collect();
    assert!(!renderers.is_empty());
    for renderer in renderers {
        assert_eq!(status(&renderer, "Seccomp:"), "2", "a renderer without filter of system calls");
    }
    let environment = words_of(browser, "environ");
    assert!(environment.iter().any(|word| word.starts_with("HOME=")), "{environment:?}");
    assert!(!environment.iter().any(|word| word.starts_with("CARGO")), "{environment:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&folder).unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "others can look into the profile");
}

/// Seen red: with downloads allowed. (Without a word about them a Chromium without a window keeps none either.)
#[tokio::test]
async fn nothing_is_downloaded() {
    let (site, world, tool, _proxy, folder) = opened().await;
    site.serve("/rye.zip", response(200, &[("content-type", "application/zip")], b"PK"));
    site.html("/offer", "<a href=/rye.zip download>Take it</a>");
    world.err(&tool, json!({ "action": "navigate", "url": site.at("/rye.zip") })).await;
    let page = world.open(&tool, &site.at("/offer")).await;
    world.click(&tool, &reference(&page, "Take it")).await;
    assert_eq!(files(&folder).iter().find(|name| name.contains("rye") || name.ends_with("crdownload")), None);
    assert!(!std::env::temp_dir().join("rye.zip").exists());
}

/// The names of all files below.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path.display().to_string()] }).collect()
}

#[tokio::test]
async fn closed_it_ends_with_its_profile() {
    let (_site, world, tool, proxy, folder) = opened().await;
    world.ok(&tool, json!({ "action": "close" })).await;
    assert!(gone(&proxy).await && !folder.exists());
}

/// Seen red: without the signal.
#[tokio::test]
async fn dropped_it_ends_with_its_profile() {
    let (_site, _world, tool, proxy, folder) = opened().await;
    drop(tool);
    assert!(gone(&proxy).await && !folder.exists());
}

#[tokio::test]
async fn unused_it_ends_with_its_profile() {
    let (site, world) = (Site::open().await, World::new());
    let tool = Browser { idle: Duration::from_secs(6), ..browser(&[&site]) };
    world.open(&tool, &site.url).await;
    let proxy = own_proxy();
    let folder = folder(processes(&proxy).first().unwrap());
    assert!(gone(&proxy).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!folder.exists() && tool.running.lock().await.is_none());
}

/// One that dies is noticed, and the next page has a new one.
#[tokio::test]
async fn one_that_dies_is_told_and_replaced() {
    let (site, world, tool, proxy, folder) = opened().await;
    let browser = processes(&proxy).into_iter().min_by_key(|process| words_of(process, "cmdline").len()).unwrap();
    kill_process_group(Pid::from_raw(group_of(&browser).unwrap()).unwrap(), Signal::KILL).unwrap();
    assert!(gone(&proxy).await);
    let told = world.err(&tool, json!({ "action": "snapshot" })).await;
    assert!(told.contains("navigate"), "{told}");
    assert!(world.open(&tool, &site.url).await.contains("Here") && !folder.exists());
}

/// Half of the next test: a process with a browser.
#[tokio::test]
#[ignore = "the next test starts it"]
async fn a_process_with_a_browser() {
    let (_site, _world, _tool, proxy, _folder) = opened().await;
    println!("\nbehind {proxy}");
    std::future::pending().await
}

#[tokio::test]
async fn when_its_process_is_killed_it_ends() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::ends::a_process_with_a_browser", "--ignored", "--nocapture"]);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let proxy = loop {
        let line = lines.next_line().await.unwrap().expect("the other half broke");
        if let Some(proxy) = line.strip_prefix("behind ") {
            break proxy.to_owned();
        }
    };
    let folder = folder(processes(&proxy).first().unwrap());
    child.start_kill().unwrap();
    assert!(gone(&proxy).await, "{:?}", processes(&proxy));
    std::fs::remove_dir_all(folder).unwrap(); // Nobody is left who would.
}

#[tokio::test]
async fn a_program_that_is_no_browser_says_so() {
    let (site, world) = (Site::open().await, World::new());
    for program in ["/bin/false", "/nowhere/chromium"] {
        let launch = Launch { executable: program.into(), ..launch() };
        let tool = Browser::local(launch, &client(), vec![HostPort::of_url(&site.url).unwrap()]);
        let error = world.err(&tool, json!({ "action": "navigate", "url": site.url })).await;
        assert!(error.contains("Chromium ended at once"), "{error}");
    }
}

#[test]
fn the_program_is_where_it_is_configured_or_on_the_path() {
    assert_eq!(find_chromium(Some("/nowhere/chromium"), "/usr/bin"), None);
    assert_eq!(find_chromium(Some("/bin/sh"), ""), Some("/bin/sh".into()));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(find_chromium(None, folder.path().to_str().unwrap()), None);
    std::fs::write(folder.path().join("google-chrome"), "").unwrap();
    let found = find_chromium(None, &format!("/nowhere:{}", folder.path().display()));
    assert_eq!(found, Some(folder.path().join("google-chrome")));
}
