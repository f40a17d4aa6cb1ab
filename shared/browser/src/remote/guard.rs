//! What keeps the pages of a browser elsewhere from what they may not reach. That browser looks up names and connects by
//! itself, so that no proxy of ours stands between; three things do, each told to it before a page begins:
//!
//! * Its network stack knows a way to names under https alone. Everything else, whatever a page invents to reach it by, goes to
//!   a proxy that does not exist: addresses, loopback, plain http, sockets of any kind.
//! * Every request of a page, frame and worker waits until it is judged here, by the rules of every request of the house.
//! * What makes calls between browsers (WebRTC), the one way by UDP that obeys no proxy, is taken out of pages.
//!
//! Names are judged by what they mean here. One that means something private there, and only there, costs nothing but a
//! handshake: nobody there has the certificate for it.

use std::sync::Arc;

use chela_http::{HostPort, HttpClient, HttpError};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::link::text;

/// Most names that are looked up at once.
const LOOKING: usize = 16;

/// A proxy that nobody is: port 1 (RFC 1078) has no server on any machine of this century.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Takes calls between browsers out of a page. A page that another one opens is set up before that one can touch it.
const SCRIPT: &str = "delete globalThis.RTCPeerConnection; delete globalThis.webkitRTCPeerConnection;";

/// The guard of one browser.
pub(crate) struct Guard {
    http: HttpClient,
    private: Vec<String>,
    judging: JoinSet<Judged>,
    looking: Arc<Semaphore>,
}

/// What is to be told about a request that waits.
pub(crate) struct Judged {
    pub(crate) session: String,
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl Guard {
    /// Judges by what `http` may reach, which of private places is `private`.
    pub(crate) fn new(http: HttpClient, private: &[HostPort]) -> Self {
        let private = private.iter().map(ToString::to_string).collect();
        Self { http, private, judging: JoinSet::new(), looking: Arc::new(Semaphore::new(LOOKING)) }
    }

    /// How a conversation's place is made: <https://chromium.googlesource.com/chromium/src/+/HEAD/net/docs/proxy.md>. A name has
    /// a dot and ends in a letter, which no address does; of these rules the last that fits holds.
    pub(crate) fn context(&self) -> Value {
        let names = ('a'..='z').map(|letter| format!("https://*.*{letter}"));
        let rules: Vec<String> = names.chain(["<-loopback>".to_owned()]).chain(self.private.iter().cloned()).collect();
        json!({ "disposeOnDetach": true, "proxyServer": NOWHERE, "proxyBypassList": rules.join(";") })
    }

    /// What a page, frame or worker is told before it begins.
    pub(crate) fn conditions(kind: &str) -> Vec<(&'static str, Value)> {
        let held = ("Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] }));
        match kind {
            "page" | "iframe" => {
                let script = json!({ "source": SCRIPT, "runImmediately": true });
                vec![held, ("Page.addScriptToEvaluateOnNewDocument", script)]
            }
            // Requests of a page's own workers wait with those of the page.
            "service_worker" | "shared_worker" => vec![held],
            _ => Vec::new(),
        }
    }

    /// A request waits. The verdict comes from [`Guard::next`].
    pub(crate) fn ask(&mut self, session: &str, params: &Value) {
        let (session, request) = (session.to_owned(), text(params, "/requestId"));
        let (url, method) = (text(params, "/request/url"), text(params, "/request/method"));
        let (http, looking) = (self.http.clone(), self.looking.clone());
        self.judging.spawn(async move {
            let _turn = looking.acquire().await;
            let (method, params) = verdict(&http, &url, &method, request).await;
            Judged { session, method, params }
        });
    }

    /// The next verdict; none while nothing waits. A wait that is given up loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Judged> {
        // One that was broken off leaves its request waiting.
        while let Some(judged) = self.judging.join_next().await {
            if let Ok(judged) = judged {
                return Some(judged);
            }
        }
        None
    }
}

/// What is told about a request for this URL.
pub(crate) async fn verdict(http: &HttpClient, url: &str, method: &str, request: String) -> (&'static str, Value) {
    let go = json!({ "requestId": request });
    // What a page carries within itself reaches nothing.
    if ["data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme)) {
        return ("Fetch.continueRequest", go);
    }
    match (http.vet(url).await, url.strip_prefix("http://")) {
        (Ok(_), _) => ("Fetch.continueRequest", go),
        // Plain http is forbidden where https may not be; the page tries that, and it is judged when it comes.
        (Err(HttpError::Blocked { .. }), Some(rest)) if matches!(method, "GET" | "HEAD") => {
            let location = json!([{ "name": "Location", "value": format!("https://{rest}") }]);
            let answer = json!({ "requestId": request, "responseCode": 307, "responseHeaders": location });
            ("Fetch.fulfillRequest", answer)
        }
        (Err(_), _) => ("Fetch.failRequest", json!({ "requestId": request, "errorReason": "AccessDenied" })),
    }
}
