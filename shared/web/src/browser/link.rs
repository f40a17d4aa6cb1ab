//! A browser that is spoken with: its pages, and what they do unasked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chela_http::{HttpClient, HttpError};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::browser::cdp::{Cdp, CdpError, Event, Heard};

/// How long a page may do nothing before it counts as done.
const QUIET: Duration = Duration::from_millis(300);

/// Longest wait for a page to load; what is there by then is shown.
const LOAD_WITHIN: Duration = Duration::from_secs(12);

/// Longest words of a dialog that are told.
const DIALOG_CHARS: usize = 300;

/// Takes from a page what connects without a request.
const NO_SOCKETS: &str = "for (const name of ['WebSocket', 'WebSocketStream', 'WebTransport', 'RTCPeerConnection', \
                          'webkitRTCPeerConnection']) { \
                          try { Object.defineProperty(globalThis, name, { value: undefined }); } catch (e) {} }";

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Tab {
    /// The page's own name, which is also that of its main frame.
    pub(crate) target: String,
    pub(crate) context: String,
    loading: bool,
    /// What its dialogs said; they were dismissed.
    pub(crate) dialogs: Vec<String>,
    /// Elements that have been shown, by the number of their ref, which begins with 1.
    pub(crate) shown: Vec<i64>,
}

/// The connection and what is known of its other side.
pub(crate) struct Link {
    cdp: Cdp,
    http: HttpClient,
    /// A browser elsewhere has no proxy of ours: each of its requests is held until it is judged.
    judged_here: bool,
    contexts: BTreeSet<String>,
    /// By the session that speaks with it.
    pub(crate) tabs: BTreeMap<String, Tab>,
}

impl Link {
    pub(crate) async fn open(cdp: Cdp, http: HttpClient, judged_here: bool) -> Result<Self, CdpError> {
        let (contexts, tabs) = (BTreeSet::new(), BTreeMap::new());
        let mut link = Self { cdp, http, judged_here, contexts, tabs };
        let all = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        link.call("", "Target.setAutoAttach", all).await?;
        Ok(link)
    }

    /// Asks and awaits the answer.
    pub(crate) async fn call(&mut self, session: &str, method: &str, params: Value) -> Result<Value, CdpError> {
        let id = self.cdp.tell(session, method, params).await?;
        let deadline = Cdp::deadline();
        loop {
            match self.cdp.next(id, deadline).await? {
                Heard::Answer(answer) => return Ok(answer),
                Heard::Event(event) => self.hear(event).await?,
                Heard::Nothing => return Err(CdpError::Refused(format!("{method} takes too long"))),
            }
        }
    }

    /// A place without cookies and without any other conversation's pages, which keeps no downloads.
    pub(crate) async fn new_context(&mut self) -> Result<String, CdpError> {
        let made = self.call("", "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await?;
        let id = text(&made, "/browserContextId");
        self.contexts.insert(id.clone());
        let deny = json!({ "behavior": "deny", "browserContextId": id });
        self.call("", "Browser.setDownloadBehavior", deny).await?;
        Ok(id)
    }

    /// Ends a place with all its pages.
    pub(crate) async fn end_context(&mut self, context: &str) -> Result<(), CdpError> {
        self.contexts.remove(context);
        self.tabs.retain(|_, tab| tab.context != context);
        self.call("", "Target.disposeBrowserContext", json!({ "browserContextId": context })).await.map(drop)
    }

    /// An empty page in this place.
    pub(crate) async fn new_tab(&mut self, context: &str) -> Result<String, CdpError> {
        let made = json!({ "url": "about:blank", "browserContextId": context });
        let target = text(&self.call("", "Target.createTarget", made).await?, "/targetId");
        let deadline = Cdp::deadline();
        loop {
            if let Some(session) = self.session_of(&target) {
                return Ok(session);
            }
            match self.cdp.next(0, deadline).await? {
                Heard::Event(event) => self.hear(event).await?,
                Heard::Answer(_) => {}
                Heard::Nothing => return Err(CdpError::Refused("the new page does not answer".to_owned())),
            }
        }
    }

    fn session_of(&self, target: &str) -> Option<String> {
        self.tabs.iter().find(|(_, tab)| tab.target == target).map(|(session, _)| session.clone())
    }

    /// Waits until the page has loaded and is quiet, or has had its time.
    pub(crate) async fn settle(&mut self, session: &str) -> Result<(), CdpError> {
        let deadline = Instant::now() + LOAD_WITHIN;
        self.listen(QUIET).await?;
        while self.tabs.get(session).is_some_and(|tab| tab.loading) && Instant::now() < deadline {
            self.listen(QUIET).await?;
        }
        self.listen(QUIET).await
    }

    async fn listen(&mut self, time: Duration) -> Result<(), CdpError> {
        let deadline = Instant::now() + time;
        while let Heard::Event(event) = self.cdp.next(0, deadline).await? {
            self.hear(event).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, event: Event) -> Result<(), CdpError> {
        let Event { method, params, session } = event;
        match method.as_str() {
            "Target.attachedToTarget" => self.attached(&params).await,
            "Target.detachedFromTarget" => {
                self.tabs.remove(&text(&params, "/sessionId"));
                Ok(())
            }
            "Page.frameStartedLoading" | "Page.frameStoppedLoading" => {
                let frame = text(&params, "/frameId");
                if let Some(tab) = self.tabs.get_mut(&session).filter(|tab| tab.target == frame) {
                    tab.loading = method == "Page.frameStartedLoading";
                }
                Ok(())
            }
            "Page.javascriptDialogOpening" => {
                let leaves = text(&params, "/type") == "beforeunload";
                if let Some(tab) = self.tabs.get_mut(&session).filter(|_| !leaves) {
                    tab.dialogs.push(text(&params, "/message").chars().take(DIALOG_CHARS).collect());
                }
                self.cdp.tell(&session, "Page.handleJavaScriptDialog", json!({ "accept": leaves })).await.map(drop)
            }
            "Fetch.requestPaused" => self.judge(&session, &params).await,
            _ => Ok(()),
        }
    }

    /// A page, frame or worker begins: it waits until it is set up.
    async fn attached(&mut self, params: &Value) -> Result<(), CdpError> {
        let (session, target) = (text(params, "/sessionId"), text(params, "/targetInfo/targetId"));
        let (kind, context) = (text(params, "/targetInfo/type"), text(params, "/targetInfo/browserContextId"));
        let ours = self.contexts.contains(&context);
        if ours && kind == "page" {
            for (method, params) in [
                ("Page.enable", json!({})),
                ("DOM.enable", json!({})),
                ("Network.enable", json!({})),
                // Its requests would be nobody's.
                ("Network.setBypassServiceWorker", json!({ "bypass": true })),
                // No file of this machine is offered: choosing one is answered by nobody.
                ("Page.setInterceptFileChooserDialog", json!({ "enabled": true, "cancel": true })),
            ] {
                self.cdp.tell(&session, method, params).await?;
            }
            self.tabs.insert(session.clone(), Tab { target, context, ..Tab::default() });
        }
        if ours && self.judged_here {
            // These cannot be held, so that there are none; a browser behind our proxy needs no such thing.
            if kind == "page" || kind == "iframe" {
                let script = json!({ "source": NO_SOCKETS, "runImmediately": true });
                self.cdp.tell(&session, "Page.addScriptToEvaluateOnNewDocument", script).await?;
            }
            self.cdp.tell(&session, "Runtime.evaluate", json!({ "expression": NO_SOCKETS })).await?;
            let inner = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
            self.cdp.tell(&session, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] })).await?;
            self.cdp.tell(&session, "Target.setAutoAttach", inner).await?;
        }
        self.cdp.tell(&session, "Runtime.runIfWaitingForDebugger", json!({})).await.map(drop)
    }

    /// Lets a request of a browser elsewhere go, or not.
    async fn judge(&mut self, session: &str, params: &Value) -> Result<(), CdpError> {
        let (id, url) = (text(params, "/requestId"), text(params, "/request/url"));
        let inside = ["data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme));
        let verdict = if inside { Ok(()) } else { self.http.vet(&url).await.map(drop) };
        let (method, answer) = match (verdict, url.strip_prefix("http://")) {
            (Ok(()), _) => ("Fetch.continueRequest", json!({ "requestId": id })),
            (Err(HttpError::Blocked { .. }), Some(rest)) if text(params, "/request/method") == "GET" => {
                let location = json!([{ "name": "Location", "value": format!("https://{rest}") }]);
                let answer = json!({ "requestId": id, "responseCode": 307, "responseHeaders": location });
                ("Fetch.fulfillRequest", answer)
            }
            (Err(_), _) => ("Fetch.failRequest", json!({ "requestId": id, "errorReason": "BlockedByClient" })),
        };
        self.cdp.tell(session, method, answer).await.map(drop)
    }
}

/// The text at a place of an answer; empty if there is none.
pub(crate) fn text(value: &Value, place: &str) -> String {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}
