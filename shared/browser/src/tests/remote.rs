//! A browser elsewhere: a Chromium that the test starts, as somebody would on another machine.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use chela_core::secret::Secret;
use chela_http::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::guard::{calling, escaping, serve_workers};
use super::*;
use crate::Endpoint;

const NOBODY: u32 = 65_534;

/// What docs/web.md advises for one's own.
const ADVISED: &str = "--webrtc-ip-handling-policy=disable_non_proxied_udp";

/// A Chromium with a port for its DevTools.
struct Chromium {
    child: Child,
    /// As it tells it.
    socket: String,
    _profile: tempfile::TempDir,
}

impl Chromium {
    fn start(flags: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(launch().executable);
        if rustix::process::geteuid().is_root() {
            chown(profile.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu"]);
        command.args(["--disable-dev-shm-usage", "--disable-background-networking"]).args(flags);
        command.arg(format!("--user-data-dir={}", profile.path().display())).env("HOME", profile.path());
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let socket = lines.find_map(|line| line.unwrap().split_once("listening on ").map(|(_, url)| url.to_owned()));
        std::thread::spawn(move || lines.for_each(drop)); // Else it would wait to be heard.
        Self { child, socket: socket.unwrap(), _profile: profile }
    }

    /// Host and port.
    fn place(&self) -> String {
        self.socket.split('/').nth(2).unwrap().to_owned()
    }

    /// Asks it over HTTP, as whoever else uses it would.
    async fn ask(&self, method: http::Method, path: &str) -> String {
        let url = format!("http://{}{path}", self.place());
        let mut request = Request::get(&url, Duration::from_secs(5), 1 << 20);
        request.method = method;
        let http = client().allowing(vec![HostPort::of_url(&url).unwrap()]);
        String::from_utf8(http.send(request).await.unwrap().body.to_vec()).unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at(url: &str) -> Endpoint {
    Endpoint::read(&Secret::new(url.to_owned())).unwrap()
}

/// The tool with this address; pages may reach these servers.
fn remote(url: &str, private: &[&Site]) -> Browser {
    Browser::remote(at(url), &client(), private.iter().map(|site| HostPort::of_url(&site.url).unwrap()).collect())
}

#[tokio::test]
async fn a_browser_elsewhere_is_used_like_one_of_this_machine() {
    let (site, world, chromium) = (Site::open().await, World::new(), Chromium::start(&[]));
    let form = "<title>Bread</title><form action=/thanks><input aria-label=Name name=name><button type=button
        onclick=\"this.textContent = 'Sliced'\">Slice</button></form>";
    site.html("/", form);
    site.html("/thanks", "<h1>Thank you</h1>");
    // The address of the browser, and that where it is asked for.
    for url in [
        chromium.socket.clone(),
        format!("http://{}", chromium.place()),
        format!("http://{}/json/version", chromium.place()),
    ] {
        let tool = remote(&url, &[&site]);
        let page = world.open(&tool, &site.url).await;
        assert!(inside(&page).starts_with("Bread\n"), "{page}");
        let sliced = world.click(&tool, &reference(&page, "button \"Slice\"")).await;
        assert!(sliced.contains("button \"Sliced\""), "{sliced}");
        let picture = world.ok(&tool, json!({ "action": "screenshot" })).await;
        assert!(picture.contains("MEDIA:outbox/"), "{picture}");
        let name =
            json!({ "action": "type", "ref": reference(&page, "textbox \"Name\""), "text": "Ada", "submit": true });
        let thanks = world.ok(&tool, name).await;
        assert!(thanks.contains("heading \"Thank you\""), "{thanks}");
        tool.rest().await;
        let gone = world.err(&tool, json!({ "action": "snapshot" })).await;
        assert!(gone.contains("Begin with navigate"), "{gone}");
        let left = chromium.ask(http::Method::GET, "/json/list").await;
        assert!(!left.contains("thanks"), "{left}");
    }
    assert_eq!(site.asked().iter().filter(|asked| asked.starts_with("GET /thanks?name=Ada ")).count(), 3);
}

#[tokio::test]
async fn frames_of_other_sites_are_read_and_used_elsewhere() {
    let (site, other) = frames::nested().await;
    let chromium = Chromium::start(&[]);
    let tool = Browser::remote(at(&chromium.socket), &client(), frames::places(&site, &other));
    frames::used(&tool, &site, &other).await;
}

/// Whatever else is opened there goes on as if we were not there.
#[tokio::test]
async fn pages_of_others_in_the_same_browser_are_left_alone() {
    let (site, world, chromium) = (Site::open().await, World::new(), Chromium::start(&[]));
    site.html("/", "<p>Ours</p>");
    let tool = remote(&chromium.socket, &[&site]);
    world.open(&tool, &site.url).await;
    let theirs = Site::open().await;
    theirs.html("/", "<script src=/script></script>");
    chromium.ask(http::Method::PUT, &format!("/json/new?{}", theirs.url)).await;
    world.ok(&tool, json!({ "action": "wait" })).await;
    assert!(theirs.asked().iter().any(|asked| asked.starts_with("GET /script")), "{:?}", theirs.asked());
    let tabs = world.ok(&tool, json!({ "action": "tabs" })).await;
    assert_eq!(inside(&tabs).lines().count(), 1, "{tabs}");
}

/// No connection and no datagram, by any way a page has. Seen red: without the rules for the network of a conversation (by the
/// server: sockets, guesses and connections made in advance), and without the script (by the socket).
#[tokio::test]
async fn s03_s16_a_page_elsewhere_reaches_nothing_private_by_any_way() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let port = udp.local_addr().unwrap().port();
    site.html("/escape", &escaping(&hidden, port));
    let (popup, word) = (calling(port, "other"), format!("{}/word", hidden.url));
    site.html(
        "/popup",
        &format!(
            "<button onclick=\"const other = window.open('about:blank'); document.title = 'opened ' + !!other; {popup}
            other.fetch('{word}', {{ mode: 'no-cors' }})\">Open</button>
         <button onclick=\"const other = document.open('about:blank', '', ''); {popup}\">Also</button>
         <button onclick=\"window.open('{word}')\">Straight</button>"
        ),
    );
    serve_workers(&site, &hidden);
    site.serve("/moved", response(302, &[("location", &hidden.at("/redirect"))], b""));
    site.serve("/meta", response(302, &[("location", "http://169.254.169.254/latest/")], b""));
    let chromium = Chromium::start(&[]);
    let tool = remote(&chromium.socket, &[&site]);
    let first = world.call(&tool, json!({ "action": "navigate", "url": site.at("/escape") })).await.text;
    let page = world.open(&tool, &site.at("/popup")).await;
    let opened = world.click(&tool, &reference(&page, "Open")).await;
    assert!(opened.contains("opened true"), "{opened}");
    for words in ["Also", "Straight"] {
        world.ok(&tool, json!({ "action": "click", "ref": reference(&page, words) })).await;
    }
    for path in ["/moved", "/meta"] {
        let told = world.err(&tool, json!({ "action": "navigate", "url": site.at(path) })).await;
        assert!(told.contains("cannot be opened"), "{told}");
    }
    world.ok(&tool, json!({ "action": "wait" })).await;
    assert_eq!(hidden.connections(), 0, "{:?}", hidden.asked());
    assert!(udp.recv_from(&mut [0; 64]).is_err(), "a call between browsers left");
    assert!(inside(&first).starts_with("Tried") && first.contains("heading \"Trying\""), "the page ran: {first}");
    let asked = site.asked().join("\n");
    for path in ["/moved", "/shared.js", "/service.js"] {
        assert!(asked.contains(&format!("GET {path} ")), "it was led there: {path}");
    }
}

/// Names that mean something private, or nothing, here: that browser would look them up by itself. Seen red: without requests
/// that wait.
#[tokio::test]
async fn a_name_is_judged_before_that_browser_looks_it_up() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    let rule = format!("--host-resolver-rules=MAP *.example.com 127.0.0.1:{}", hidden.port);
    let chromium = Chromium::start(&[&rule]);
    site.html(
        "/",
        "<img src='https://a.example.com/img'><script>fetch('https://b.example.com/', {mode: 'no-cors'}).catch(() => 0)
        new Worker(URL.createObjectURL(new Blob([`fetch('https://c.example.com/', {mode: 'no-cors'})`])))</script>Here",
    );
    let tool = remote(&chromium.socket, &[&site]);
    let page = world.open(&tool, &site.url).await;
    world.ok(&tool, json!({ "action": "wait" })).await;
    assert!(page.contains("Here"), "{page}");
    assert_eq!(hidden.connections(), 0);
}

/// A sandboxed frame with words of its own begins before it can be set up. What docs/web.md advises holds it as well.
#[tokio::test]
async fn s16_as_advised_not_even_a_sandboxed_frame_calls_anybody() {
    let (site, world) = (Site::open().await, World::new());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let call = calling(udp.local_addr().unwrap().port(), "window");
    site.html(
        "/",
        &format!("<iframe sandbox=allow-scripts srcdoc=\"<p>In the box</p><script>{call}</script>\"></iframe>"),
    );
    let chromium = Chromium::start(&[ADVISED]);
    let tool = remote(&chromium.socket, &[&site]);
    let page = world.open(&tool, &site.url).await;
    world.ok(&tool, json!({ "action": "wait" })).await;
    assert!(page.contains("In the box"), "{page}");
    assert!(udp.recv_from(&mut [0; 64]).is_err());
}

/// What stands between us and a browser, and breaks.
struct Cable {
    url: String,
    open: Arc<Mutex<JoinSet<()>>>,
}

impl Cable {
    async fn to(chromium: &Chromium) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (there, place) = (chromium.place(), listener.local_addr().unwrap().to_string());
        let open = Arc::new(Mutex::new(JoinSet::new()));
        let kept = open.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let there = there.clone();
                kept.lock().unwrap().spawn(async move {
                    let mut far = TcpStream::connect(there).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { url: chromium.socket.replace(&chromium.place(), &place), open }
    }

    fn breaks(&self) {
        *self.open.lock().unwrap() = JoinSet::new();
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_and_made_again() {
    let (site, world, chromium) = (Site::open().await, World::new(), Chromium::start(&[]));
    site.html("/", "<h1>Here</h1>");
    let cable = Cable::to(&chromium).await;
    let tool = remote(&cable.url, &[&site]);
    world.open(&tool, &site.url).await;
    // In the midst of an action, …
    let (told, ()) = tokio::join!(world.err(&tool, json!({ "action": "wait", "text": "never" })), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cable.breaks();
    });
    assert!(told.contains("Begin again with navigate"), "{told}");
    assert!(world.open(&tool, &site.url).await.contains("Here"));
    // … and between two.
    cable.breaks();
    assert!(world.open(&tool, &site.url).await.contains("Here"));
    cable.breaks();
    let told = world.err(&tool, json!({ "action": "snapshot" })).await;
    assert!(told.contains("Begin with navigate"), "{told}");
    // What was opened on a connection ended with it.
    let left = chromium.ask(http::Method::GET, "/json/list").await;
    assert!(!left.contains(&site.url), "{left}");
}

/// Seen red: with the address as it is told, which lacks the token.
#[tokio::test]
async fn s11_an_endpoint_leads_to_no_other_place() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    let told = json!({ "webSocketDebuggerUrl": format!("ws://127.0.0.1:{}/devtools/browser/x?own=1", hidden.port) });
    site.serve("/base/json/version", response(200, &[], told.to_string().as_bytes()));
    let tool = remote(&format!("{}/base/?token=s3cret", site.url), &[]);
    let error = world.err(&tool, json!({ "action": "navigate", "url": "https://1.1.1.1/" })).await;
    assert!(error.contains("answers 404") && !error.contains("s3cret"), "{error}");
    let asked: Vec<String> =
        site.asked().iter().filter_map(|asked| asked.split(' ').nth(1).map(str::to_owned)).collect();
    assert_eq!(asked, ["/base/json/version?token=s3cret", "/devtools/browser/x?own=1&token=s3cret"]);
    assert_eq!(hidden.connections(), 0);
    // Nor does a redirect.
    site.serve("/away/json/version", response(302, &[("location", &hidden.at("/json/version"))], b""));
    let error =
        world.err(&remote(&site.at("/away"), &[]), json!({ "action": "navigate", "url": "https://1.1.1.1/" })).await;
    assert!(error.contains("answers 302") && hidden.connections() == 0, "{error}");
}

#[tokio::test]
async fn d01_a_token_is_in_no_error() {
    let world = World::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let site = Site::open().await;
    site.serve("/json/version", response(200, &[], b"{}"));
    site.serve("/s3cret/json/version", response(401, &[], b"s3cret"));
    site.serve("/odd/json/version", response(200, &[], br#"{"webSocketDebuggerUrl":"ws://h/s3 cret"}"#));
    let urls = [
        format!("ws://{closed}/s3cret?token=s3cret"),
        format!("http://{closed}/?token=s3cret"),
        format!("wss://{}/s3cret?token=s3cret", site.url.trim_start_matches("http://")),
        format!("{}/s3cret", site.url),
        format!("{}/?token=s3cret", site.url),
        format!("{}/odd", site.url),
        format!("ws://{}/s3cret?token=s3cret", site.url.trim_start_matches("http://")),
    ];
    for url in urls {
        assert!(!format!("{:?}", at(&url)).contains("s3cret"));
        let error = world.err(&remote(&url, &[]), json!({ "action": "navigate", "url": "https://1.1.1.1/" })).await;
        assert!(!error.contains("s3cret") && error.contains("127.0.0.1"), "{error}");
    }
    for url in
        ["s3cret", "ftp://h/s3cret", "ws://user:s3cret@h/", "wss://h/#s3cret", "ws://0x7f.1/s3cret", "ws:///s3cret"]
    {
        let error = Endpoint::read(&Secret::new(url.to_owned())).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn requests_are_judged_like_all_of_the_house() {
    let http = client();
    let told = async |method: &str, url: &str| crate::remote::verdict(&http, url, method, "7".to_owned()).await;
    for (method, url, expected) in [
        ("GET", "https://1.1.1.1/x", "Fetch.continueRequest"),
        ("POST", "https://1.1.1.1/x", "Fetch.continueRequest"),
        ("GET", "data:text/plain,x", "Fetch.continueRequest"),
        ("GET", "http://1.1.1.1/x", "Fetch.fulfillRequest"),
        ("POST", "http://1.1.1.1/x", "Fetch.failRequest"),
        ("GET", "https://127.0.0.1/", "Fetch.failRequest"),
        ("GET", "https://[::ffff:169.254.169.254]/", "Fetch.failRequest"),
        ("GET", "file:///etc/passwd", "Fetch.failRequest"),
        ("GET", "chrome://version", "Fetch.failRequest"),
    ] {
        let (verdict, params) = told(method, url).await;
        assert_eq!((verdict, &params["requestId"]), (expected, &json!("7")), "{method} {url}");
        let location = params.pointer("/responseHeaders/0/value").and_then(Value::as_str);
        assert_eq!(location, (expected == "Fetch.fulfillRequest").then_some("https://1.1.1.1/x"));
    }
}
