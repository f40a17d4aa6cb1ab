//! The one guarded way out, and who may use it.

use std::net::UdpSocket;

use super::*;

/// A call to another browser, as words of a script.
pub(super) fn calling(udp: u16, place: &str) -> String {
    format!(
        "try {{ const peer = new ({place}.RTCPeerConnection)({{ iceServers: [{{ urls: 'stun:127.0.0.1:{udp}' }}] }});
         peer.createDataChannel('x'); peer.createOffer().then((offer) => peer.setLocalDescription(offer)); }} catch (e) {{}}"
    )
}

/// A page that tries every way out of a browser. `hidden` is what it may not reach, `udp` a port where nothing may arrive.
pub(super) fn escaping(hidden: &Site, udp: u16) -> String {
    let (door, port, inner, outer) =
        (&hidden.url, hidden.port, calling(udp, "window"), calling(udp, "frame.contentWindow"));
    format!(
        "<!doctype html><title>Escape</title><link rel=preconnect href=\"{door}\"><link rel=stylesheet href=\"{door}/css\">
        <link rel=prefetch href=\"{door}/prefetch\"><link rel=dns-prefetch href=\"//localhost:{port}\">
        <img src=\"{door}/img\"><script src=\"{door}/js\"></script><iframe src=\"{door}/frame\"></iframe>
        <iframe src=\"/moved\"></iframe><img src=\"/moved\">
        <iframe src=\"http://169.254.169.254/latest/meta-data/\"></iframe><iframe src=\"file:///etc/passwd\"></iframe>
        <object data=\"{door}/object\"></object><video src=\"{door}/video\"></video><h1>Trying</h1>
        <script>
        const tries = ['{door}/fetch', 'http://localhost:{port}/name', 'http://localhost.:{port}/dot',
          'http://rebind.localhost:{port}/sub', 'https://localhost:{port}/tls', 'http://[::1]:{port}/six',
          'http://127.1:{port}/short', 'http://0x7f000001:{port}/hex', 'http://0.0.0.0:{port}/zero',
          'http://[::ffff:127.0.0.1]:{port}/mapped', 'file:///etc/passwd', 'chrome://version', '/moved'];
        for (const url of tries) {{ try {{ fetch(url, {{ mode: 'no-cors' }}).then(() => 0, () => 0); }} catch (e) {{}} }}
        const xhr = new XMLHttpRequest(); xhr.open('POST', '{door}/xhr'); xhr.send('x');
        navigator.sendBeacon('{door}/beacon', 'x');
        for (const at of ['127.0.0.1', 'localhost', '[::1]']) {{
          try {{ new WebSocket('ws://' + at + ':{port}/ws'); new WebSocket('wss://' + at + ':{port}/wss'); }} catch (e) {{}}
        }}
        try {{ new EventSource('{door}/events'); }} catch (e) {{}}
        try {{ new WebTransport('https://127.0.0.1:{udp}/wt'); }} catch (e) {{}}
        const worker = new Blob([`fetch('{door}/worker', {{ mode: 'no-cors' }}).catch(() => 0);
          try {{ new WebSocket('ws://127.0.0.1:{port}/w'); }} catch (e) {{}}`]);
        try {{ new Worker(URL.createObjectURL(worker)); }} catch (e) {{}}
        try {{
          const peer = new RTCPeerConnection({{ iceServers: [
            {{ urls: 'stun:127.0.0.1:{udp}' }}, {{ urls: 'stun:localhost:{udp}' }},
            {{ urls: 'turn:127.0.0.1:{udp}', username: 'a', credential: 'b' }},
            {{ urls: 'turn:127.0.0.1:{port}?transport=tcp', username: 'a', credential: 'b' }}] }});
          peer.createDataChannel('x'); peer.createOffer().then((offer) => peer.setLocalDescription(offer));
          setTimeout(() => peer.addIceCandidate({{ candidate: 'candidate:1 1 udp 2122260223 127.0.0.1 {udp} typ host', sdpMid: '0' }}).catch(() => 0), 300);
        }} catch (e) {{}}
        const form = document.createElement('form'); form.action = '{door}/form'; form.method = 'post'; form.target = '_blank';
        document.body.append(form); form.submit(); window.open('{door}/popup');
        const frame = document.createElement('iframe'); document.body.append(frame); {outer}
        try {{ new frame.contentWindow.WebSocket('ws://127.0.0.1:{port}/framed'); }} catch (e) {{}}
        const own = document.createElement('iframe'); document.body.append(own);
        own.srcdoc = `<script>{inner}; try {{ new WebSocket('ws://127.0.0.1:{port}/own'); }} catch (e) {{}}<\\/script>`;
        const boxed = document.createElement('iframe'); boxed.sandbox = 'allow-scripts'; document.body.append(boxed);
        boxed.srcdoc = \"<script>try {{ new WebSocket('ws://127.0.0.1:{port}/boxed'); }} catch (e) {{}}<\\/script>\";
        try {{ new SharedWorker('/shared.js'); }} catch (e) {{}}
        try {{ navigator.serviceWorker.register('/service.js').catch(() => 0); }} catch (e) {{}}
        const rules = document.createElement('script'); rules.type = 'speculationrules'; document.body.append(rules);
        rules.textContent = JSON.stringify({{ prefetch: [{{ source: 'list', urls: ['/moved', '{door}/guess'], eagerness: 'immediate' }}] }});
        document.title = 'Tried';
        </script>"
    )
}

/// Workers that outlive a page, and try the same.
pub(super) fn serve_workers(site: &Site, hidden: &Site) {
    for name in ["shared", "service"] {
        let (door, port) = (&hidden.url, hidden.port);
        let script = format!(
            "fetch('{door}/{name}', {{ mode: 'no-cors' }}).catch(() => 0);
             try {{ new WebSocket('ws://127.0.0.1:{port}/{name}socket'); }} catch (e) {{}}"
        );
        let answer = response(200, &[("content-type", "text/javascript")], script.as_bytes());
        site.serve(&format!("/{name}.js"), answer);
    }
}

/// Seen red, by the server or by the socket: without `--proxy-server`; without `<-loopback>`; with a proxy that does not judge
/// tunnels, and with one that does not judge requests; without the policy for calls.
#[tokio::test]
async fn s03_s09_s16_a_page_reaches_nothing_private_by_any_way() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    site.html("/escape", &escaping(&hidden, udp.local_addr().unwrap().port()));
    serve_workers(&site, &hidden);
    site.serve("/moved", response(302, &[("location", &hidden.at("/redirect"))], b""));
    let links = format!("<a href=\"{}\">Link</a><a href=\"/moved\">Moved</a>", hidden.at("/link"));
    site.html("/links", &links);
    site.serve("/meta", response(302, &[("location", "http://169.254.169.254/latest/")], b""));
    let tool = browser(&[&site]);
    let first = world.call(&tool, json!({ "action": "navigate", "url": site.at("/escape") })).await.text;
    for words in ["link \"Link\"", "link \"Moved\""] {
        let page = world.call(&tool, json!({ "action": "navigate", "url": site.at("/links") })).await.text;
        if page.contains(words) {
            world.call(&tool, json!({ "action": "click", "ref": reference(&page, words) })).await;
        }
    }
    let mut told = Vec::new();
    for path in ["/moved", "/meta"] {
        told.push(world.call(&tool, json!({ "action": "navigate", "url": site.at(path) })).await);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(hidden.connections(), 0, "{:?}", hidden.asked());
    assert!(udp.recv_from(&mut [0; 64]).is_err(), "a call between browsers went around the proxy");
    assert!(told.iter().all(|answer| answer.is_error && answer.text.contains("cannot be opened")), "{told:?}");
    assert!(inside(&first).starts_with("Tried") && first.contains("heading \"Trying\""), "the page ran: {first}");
    assert!(site.asked().iter().filter(|request| request.starts_with("GET /moved")).count() >= 4, "it was led there");
}

/// The page works as it is meant to: where it may reach the other server, it does, by each kind of way.
#[tokio::test]
async fn the_page_that_tries_would_be_noticed() {
    let (site, hidden, world) = (Site::open().await, Site::open().await, World::new());
    site.html("/escape", &escaping(&hidden, 9));
    serve_workers(&site, &hidden);
    site.serve("/moved", response(302, &[("location", &hidden.at("/redirect"))], b""));
    world.open(&browser(&[&site, &hidden]), &site.at("/escape")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = hidden.asked().join("\n");
    for path in [
        "css",
        "img",
        "js",
        "frame",
        "fetch",
        "xhr",
        "beacon",
        "ws",
        "events",
        "worker",
        "w",
        "redirect",
        "object",
        "framed",
        "own",
        "boxed",
        "shared",
        "sharedsocket",
        "service",
        "servicesocket",
    ] {
        assert!(asked.contains(&format!(" /{path} ")), "{path}: {asked}");
    }
}

#[tokio::test]
async fn s01_s03_s13_only_public_pages_are_opened_and_only_for_the_owner() {
    let (site, mut world) = (Site::open().await, World::new());
    let tool = browser(&[]);
    for url in [
        &site.at("/order"),
        "http://169.254.169.254/",
        "https://localhost/",
        "http://localhost:9001/2018-06-01/runtime/invocation/next",
        "file:///etc/passwd",
        "chrome://version",
        "data:text/html,x",
        "javascript:alert(1)",
        "view-source:https://a.example",
        "about:blank",
        "https://[::1]/",
    ] {
        let refused = world.err(&tool, json!({ "action": "navigate", "url": url })).await;
        assert!(refused.contains("refused") || refused.contains("not a usable URL"), "{url}: {refused}");
    }
    assert!(tool.running.lock().await.is_none(), "nothing was started for any of them");
    world.caller.authority = Authority::Guest;
    assert!(!tool.offered(&world.caller));
    let guest = world.err(&browser(&[&site]), json!({ "action": "navigate", "url": site.at("/order") })).await;
    assert!(guest.contains("for the owner alone") && site.connections() == 0, "{guest}");
}
