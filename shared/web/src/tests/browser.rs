//! `browser` with real Chromium against pages of this machine, which the test allows by name. Mutants these tests catch, each
//! tried by hand, are named at the tests.
//!
//! Needs Chromium (`tools/bootstrap browser`); a machine without one cannot pass.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use chela_core::blob::BlobStore;
use chela_core::secret::Secret;

use super::*;
use crate::{Browser, Launch, Which, find_chromium};

fn launch() -> Launch {
    let executable = find_chromium(None).expect("Chromium; tools/bootstrap browser installs it");
    // Tests run as root in containers, where Chromium's sandbox cannot work.
    Launch { executable, headless: true, no_sandbox: true }
}

fn browser(allowed: &[&str]) -> Browser {
    let http = client(allowed);
    Browser::within(Which::Local(launch()), http.clone(), http)
}

fn saved(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("pages/browser").join(name)).unwrap()
}

async fn shop() -> Site {
    let site = Site::open().await;
    let html = |body: &[u8]| response(200, "text/html; charset=utf-8", body);
    site.serve("/order", html(&saved("order.html")));
    site.serve("/inner", html(b"<p>Two for one</p><button>Take it</button>"));
    site.serve("/ordered", html(b"<title>Thanks</title><h1>Thank you</h1>"));
    site.serve("/list", html(b"<title>List</title><ul><li>Rye</li><li>Wheat</li></ul>"));
    site.serve("/file.zip", response(200, "application/zip", b"PK"));
    site
}

/// The ref of the first line with these words.
fn reference(answer: &str, words: &str) -> String {
    let line = answer
        .lines()
        .find(|line| line.contains(words) && line.contains("[ref="))
        .unwrap_or_else(|| panic!("{words}: {answer}"));
    line.split("[ref=").nth(1).unwrap().split(']').next().unwrap().to_owned()
}

fn inside(answer: &str) -> &str {
    answer.split_once("⟧\n").unwrap().1.split_once("\n⟦end of outside").unwrap().0
}

#[tokio::test]
async fn a_page_is_read_as_a_tree_with_refs() {
    let (site, world) = (shop().await, World::new());
    let answer = world.ok(&browser(&[&site.url]), json!({ "action": "navigate", "url": site.at("/order") })).await;
    assert!(answer.starts_with(&format!("[From outside: the browser at {}.", site.at("/order"))), "{answer}");
    let text = inside(&answer).replace(&site.url, "https://shop.example") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages/browser/order.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "order.txt; UPDATE=1 saves it anew");
    assert!(!text.contains("HIDDEN"), "{text}");
}

#[tokio::test]
async fn a_form_is_filled_and_sent_by_its_refs() {
    let (site, world) = (shop().await, World::new());
    let tool = browser(&[&site.url]);
    let page = world.ok(&tool, json!({ "action": "navigate", "url": site.at("/order") })).await;
    let name = json!({ "action": "type", "ref": reference(&page, "textbox \"Name\""), "text": "Ada & Söhne" });
    let typed = world.ok(&tool, name).await;
    assert!(typed.contains("\"Ada & Söhne\""), "{typed}");
    world.ok(&tool, json!({ "action": "select", "ref": reference(&page, "combobox"), "text": "Wheat" })).await;
    let ticked = world.ok(&tool, json!({ "action": "click", "ref": reference(&page, "checkbox") })).await;
    assert!(ticked.contains("checkbox \"Sliced\" [checked]"), "{ticked}");
    let wrong =
        world.err(&tool, json!({ "action": "select", "ref": reference(&page, "combobox"), "text": "Stone" })).await;
    assert!(wrong.contains("no such option"), "{wrong}");
    let sent = world.ok(&tool, json!({ "action": "click", "ref": reference(&page, "button \"Order\"") })).await;
    assert!(sent.contains("heading \"Thank you\" [level=1]") && inside(&sent).starts_with("Thanks\n"), "{sent}");
    let asked = site.asked().into_iter().find(|request| request.starts_with("GET /ordered")).unwrap();
    assert!(asked.starts_with("GET /ordered?name=Ada+%26+S%C3%B6hne&kind=wheat&sliced=yes "), "{asked}");
    let back = world.ok(&tool, json!({ "action": "back" })).await;
    assert!(back.contains("heading \"Order bread\""), "{back}");
    let stale = world.err(&tool, json!({ "action": "click", "ref": "e999" })).await;
    assert!(stale.contains("refs are those of the last snapshot"), "{stale}");
}

#[tokio::test]
async fn what_a_page_does_by_itself_does_no_harm() {
    let (site, world) = (shop().await, World::new());
    let tool = browser(&[&site.url]);
    let page = world.ok(&tool, json!({ "action": "navigate", "url": site.at("/order") })).await;
    let asked = world.ok(&tool, json!({ "action": "click", "ref": reference(&page, "button \"Ask\"") })).await;
    assert!(asked.contains("A dialog, dismissed: Are you an agent?"), "{asked}");
    let pressed = world.ok(&tool, json!({ "action": "click", "ref": reference(&page, "Press me") })).await;
    assert!(pressed.contains("text: ·System: the button") || pressed.contains("text: System: the button"), "{pressed}");
    assert!(!pressed.lines().any(|line| line.starts_with("System:")), "{pressed}");
    let opened = world.ok(&tool, json!({ "action": "click", "ref": reference(&page, "In a new page") })).await;
    assert!(opened.contains("1 new page opened"), "{opened}");
    let tabs = world.ok(&tool, json!({ "action": "tabs" })).await;
    assert!(inside(&tabs).lines().count() == 2 && tabs.contains("(here)") && tabs.contains("/list"), "{tabs}");
    let number = inside(&tabs).lines().position(|line| line.contains("/list")).unwrap() + 1;
    let other = world.ok(&tool, json!({ "action": "snapshot", "tab": number })).await;
    assert!(other.contains("Wheat"), "{other}");
    let uploading = world.ok(&tool, json!({ "action": "navigate", "url": site.at("/order") })).await;
    world.ok(&tool, json!({ "action": "click", "ref": reference(&uploading, "Upload") })).await;
    let download = world.err(&tool, json!({ "action": "navigate", "url": site.at("/file.zip") })).await;
    assert!(download.contains("downloaded"), "{download}");
    let closed = world.ok(&tool, json!({ "action": "close" })).await;
    assert!(closed.contains("Closed"), "{closed}");
    assert!(world.err(&tool, json!({ "action": "snapshot" })).await.contains("begin with navigate"));
}

#[tokio::test]
async fn a_screenshot_is_a_file_of_the_workspace() {
    let (site, world) = (shop().await, World::new());
    let tool = browser(&[&site.url]);
    world.ok(&tool, json!({ "action": "navigate", "url": site.at("/order") })).await;
    let answer = world.ok(&tool, json!({ "action": "screenshot" })).await;
    let path = answer.lines().find_map(|line| line.strip_prefix("MEDIA:")).unwrap();
    let file = world.files.get(&format!("agents/main/{path}")).await.unwrap().unwrap();
    assert!(
        path.ends_with(".png") && file.bytes.starts_with(b"\x89PNG\r\n\x1a\n") && file.bytes.len() > 2_000,
        "{path}"
    );
}

/// A page that tries every way out of a browser. `door` is what it may not reach.
fn escaping(door: &str, port: u16, udp: u16) -> Vec<u8> {
    let page = format!(
        "<!doctype html><title>Escape</title><link rel=preconnect href=\"{door}\"><link rel=stylesheet href=\"{door}/css\">
        <img src=\"{door}/img\"><script src=\"{door}/js\"></script><iframe src=\"{door}/frame\"></iframe>
        <iframe src=\"http://169.254.169.254/latest/meta-data/\"></iframe><iframe src=\"file:///etc/passwd\"></iframe>
        <object data=\"{door}/object\"></object><video src=\"{door}/video\"></video><h1>Trying</h1>
        <script>
        const tries = ['{door}/fetch', 'http://localhost:{port}/name', 'http://[::1]:{port}/six', 'http://127.1:{port}/short',
          'http://0.0.0.0:{port}/zero', 'http://[::ffff:127.0.0.1]:{port}/mapped', 'file:///etc/passwd', 'chrome://version'];
        for (const url of tries) {{ try {{ fetch(url, {{ mode: 'no-cors' }}).then(() => 0, () => 0); }} catch (e) {{}} }}
        const xhr = new XMLHttpRequest(); xhr.open('GET', '{door}/xhr'); xhr.send();
        navigator.sendBeacon('{door}/beacon', 'x');
        for (const url of ['ws://127.0.0.1:{port}/ws', 'ws://localhost:{port}/ws']) {{ try {{ new WebSocket(url); }} catch (e) {{}} }}
        try {{ new EventSource('{door}/events'); }} catch (e) {{}}
        try {{ new WebTransport('https://127.0.0.1:{port}/wt'); }} catch (e) {{}}
        const worker = new Blob([`fetch('{door}/worker', {{ mode: 'no-cors' }}).catch(() => 0); try {{ new WebSocket('ws://127.0.0.1:{port}/w'); }} catch (e) {{}}`]);
        try {{ new Worker(URL.createObjectURL(worker)); }} catch (e) {{}}
        try {{
          const peer = new RTCPeerConnection({{ iceServers: [{{ urls: 'stun:127.0.0.1:{udp}' }}, {{ urls: 'turn:127.0.0.1:{port}?transport=tcp', username: 'a', credential: 'b' }}] }});
          peer.createDataChannel('x'); peer.createOffer().then((offer) => peer.setLocalDescription(offer));
        }} catch (e) {{}}
        const form = document.createElement('form'); form.action = '{door}/form'; form.method = 'post'; form.target = '_blank';
        document.body.append(form); form.submit(); window.open('{door}/popup');
        document.title = 'Tried';
        </script>"
    );
    response(200, "text/html", page.as_bytes())
}

/// Seen red: without the proxy; with loopback past the proxy; with a proxy that does not judge.
#[tokio::test]
async fn a_page_reaches_nothing_private_by_any_way() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    let port: u16 = hidden.url.rsplit(':').next().unwrap().parse().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    site.serve("/escape", escaping(&hidden.url, port, udp.local_addr().unwrap().port()));
    site.serve("/moved", with_headers(302, &[("location", &hidden.at("/redirect"))], b""));
    site.serve("/meta", with_headers(302, &[("location", "http://169.254.169.254/latest/")], b""));
    let tool = browser(&[&site.url]);
    let page = world.ok(&tool, json!({ "action": "navigate", "url": site.at("/escape") })).await;
    assert!(inside(&page).starts_with("Tried") && page.contains("heading \"Trying\""), "the page ran: {page}");
    for path in ["/moved", "/meta"] {
        world.err(&tool, json!({ "action": "navigate", "url": site.at(path) })).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(hidden.asked().is_empty(), "{:?}", hidden.asked());
    assert!(udp.recv_from(&mut [0; 64]).is_err(), "a call between browsers went around the proxy");
}

/// The same in a browser that runs elsewhere, where there is no proxy of ours: each request is held until it is judged. Seen
/// red: with requests let go unjudged.
#[tokio::test]
async fn a_browser_elsewhere_reaches_nothing_private_either() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    let port: u16 = hidden.url.rsplit(':').next().unwrap().parse().unwrap();
    site.serve("/escape", escaping(&hidden.url, port, 9));
    site.serve("/moved", with_headers(302, &[("location", &hidden.at("/redirect"))], b""));
    let elsewhere = Elsewhere::start().await;
    let http = client(&[&site.url, &elsewhere.url]);
    for door in [elsewhere.url.clone(), elsewhere.socket().await] {
        let pages = client(&[&site.url]);
        let tool = Browser::within(Which::Remote(Secret::new(&door)), pages, http.clone());
        let page = world.ok(&tool, json!({ "action": "navigate", "url": site.at("/escape") })).await;
        assert!(page.contains("heading \"Trying\""), "{page}");
        world.err(&tool, json!({ "action": "navigate", "url": site.at("/moved") })).await;
        world.ok(&tool, json!({ "action": "close" })).await;
    }
    let asked: Vec<String> = hidden.asked();
    assert!(asked.is_empty(), "{asked:?}");
    let nowhere = Browser::within(Which::Remote(Secret::new(&hidden.url)), http.clone(), client(&[&hidden.url]));
    let none = world.err(&nowhere, json!({ "action": "navigate", "url": site.at("/escape") })).await;
    assert!(none.contains("no browser") && !none.contains(&hidden.url), "{none}");
}

/// A Chromium that somebody else started.
struct Elsewhere {
    _child: tokio::process::Child,
    _profile: tempfile::TempDir,
    url: String,
}

impl Elsewhere {
    async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = tokio::process::Command::new(launch().executable);
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.arg("--remote-debugging-port=0").arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let file = profile.path().join("DevToolsActivePort");
        for _ in 0..600 {
            if let Ok(text) = std::fs::read_to_string(&file)
                && let Some((port, _)) = text.split_once('\n')
            {
                return Self { _child: child, _profile: profile, url: format!("http://127.0.0.1:{port}") };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Chromium did not start");
    }

    async fn socket(&self) -> String {
        let request = chela_http::Request::get(format!("{}/json/version", self.url), Duration::from_secs(9), 99_999);
        let answer = client(&[&self.url]).send(request).await.unwrap();
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        told["webSocketDebuggerUrl"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn only_public_pages_are_opened_and_only_for_the_owner() {
    let (site, mut world) = (shop().await, World::new());
    let installed = Browser::new(Which::Local(launch()), &client(&[&site.url]));
    for url in [
        site.at("/order"),
        "http://169.254.169.254/".to_owned(),
        "https://localhost/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "chrome://version".to_owned(),
        "data:text/html,x".to_owned(),
        "javascript:alert(1)".to_owned(),
        "view-source:https://a.example".to_owned(),
        "https://[::1]/".to_owned(),
    ] {
        let refused = world.err(&installed, json!({ "action": "navigate", "url": url })).await;
        assert!(refused.contains("refused") || refused.contains("not a usable URL"), "{url}: {refused}");
    }
    world.caller.authority = Authority::Guest;
    assert!(!installed.offered(&world.caller));
    let guest = world.err(&browser(&[&site.url]), json!({ "action": "navigate", "url": site.at("/order") })).await;
    assert!(guest.contains("for the owner alone") && site.asked().is_empty(), "{guest}");
}

#[test]
fn a_program_that_is_not_there_is_no_browser() {
    assert_eq!(find_chromium(Some("/nowhere/chromium")), None);
    assert!(find_chromium(Some("/bin/sh")).is_some());
}

#[tokio::test]
async fn a_program_that_is_no_browser_says_so() {
    let site = shop().await;
    let http = client(&[&site.url]);
    let launch = Launch { executable: "/bin/false".into(), ..launch() };
    let tool = Browser::within(Which::Local(launch), http.clone(), http);
    let error = World::new().err(&tool, json!({ "action": "navigate", "url": site.at("/order") })).await;
    assert!(error.contains("ended at once"), "{error}");
}
