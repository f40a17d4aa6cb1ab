//! A browser that is spoken with: its pages, and what they do unasked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cdp::{CdpError, Event, Heard, Talk};
use crate::remote::Guard;
use crate::running::Opened;
use crate::snapshot::Refs;

/// How long a page may do nothing before it counts as done.
const QUIET: Duration = Duration::from_millis(300);

/// Longest wait for a page to load; what is there by then is shown.
const LOAD_WITHIN: Duration = Duration::from_secs(12);

/// Longest words of a dialog that are told, and most dialogs.
const DIALOG_CHARS: usize = 300;
const MOST_DIALOGS: usize = 5;

/// Most pages of one conversation; a further one is closed when it opens.
const MOST_TABS: usize = 8;

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Tab {
    /// The page's own name, which is also that of its main frame.
    pub(crate) target: String,
    pub(crate) context: String,
    loading: bool,
    /// What its dialogs said; they were dismissed.
    pub(crate) dialogs: Vec<String>,
    /// Elements that have been shown.
    pub(crate) refs: Refs,
}

/// A frame of another site than what holds it: it lives in a process of its own, and has a session of its own.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The frame's own name.
    pub(crate) target: String,
    /// The session of what holds it.
    pub(crate) parent: String,
    loading: bool,
}

/// A browser, and what is known of it.
pub(crate) struct Link {
    talk: Talk,
    /// Of a browser that has no proxy of ours.
    guard: Option<Guard>,
    contexts: BTreeSet<String>,
    /// By the session that speaks with it.
    pub(crate) tabs: BTreeMap<String, Tab>,
    /// By session too.
    pub(crate) frames: BTreeMap<String, Frame>,
}

/// Whatever begins waits until it is set up.
fn waiting() -> Value {
    json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true })
}

impl Link {
    pub(crate) fn new(opened: Opened) -> Self {
        let Opened { wire, guard } = opened;
        let talk = Talk::new(wire);
        Self { talk, guard, contexts: BTreeSet::new(), tabs: BTreeMap::new(), frames: BTreeMap::new() }
    }

    /// Begins to hear of pages. To be called once, first.
    pub(crate) async fn begin(&mut self) -> Result<(), CdpError> {
        self.call("", "Target.setAutoAttach", waiting()).await.map(drop)
    }

    /// What a browser that was lost said itself.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.talk.wire.complaint()
    }

    /// Ends the connection, and the browser with it if it is ours.
    pub(crate) async fn end(self) {
        self.talk.wire.end().await;
    }

    /// What is told next. Requests that were judged meanwhile are answered.
    async fn next(&mut self, awaited: u64, deadline: Instant) -> Result<Heard, CdpError> {
        loop {
            let Some(guard) = &mut self.guard else { return self.talk.next(awaited, deadline).await };
            let judged = tokio::select! {
                heard = self.talk.next(awaited, deadline) => return heard,
                Some(judged) = guard.next() => judged,
            };
            self.talk.tell(&judged.session, judged.method, judged.params).await?;
        }
    }

    /// Asks and awaits the answer.
    pub(crate) async fn call(&mut self, session: &str, method: &str, params: Value) -> Result<Value, CdpError> {
        let id = self.talk.tell(session, method, params).await?;
        let deadline = Talk::deadline();
        loop {
            match self.next(id, deadline).await? {
                Heard::Answer(answer) => return Ok(answer),
                Heard::Event(event) => self.hear(event).await?,
                Heard::Nothing => return Err(CdpError::Refused(format!("{method} takes too long"))),
            }
        }
    }

    /// A place without cookies and without any other conversation's pages, which keeps no downloads.
    pub(crate) async fn new_context(&mut self) -> Result<String, CdpError> {
        let alone = self.guard.as_ref().map_or_else(|| json!({ "disposeOnDetach": true }), Guard::context);
        let made = self.call("", "Target.createBrowserContext", alone).await?;
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
        let deadline = Talk::deadline();
        loop {
            if let Some((session, _)) = self.tabs.iter().find(|(_, tab)| tab.target == target) {
                return Ok(session.clone());
            }
            match self.next(0, deadline).await? {
                Heard::Event(event) => self.hear(event).await?,
                Heard::Answer(_) => {}
                Heard::Nothing => return Err(CdpError::Refused("the new page does not answer".to_owned())),
            }
        }
    }

    /// Waits until the page has loaded and is quiet, or has had its time; the same for a frame of another site.
    pub(crate) async fn settle(&mut self, session: &str) -> Result<(), CdpError> {
        let deadline = Instant::now() + LOAD_WITHIN;
        self.listen(QUIET).await?;
        while self.loads(session) && Instant::now() < deadline {
            self.listen(QUIET).await?;
        }
        self.listen(QUIET).await
    }

    fn loads(&self, session: &str) -> bool {
        let frame = self.frames.get(session);
        self.tabs.get(session).is_some_and(|tab| tab.loading)
            || frame.is_some_and(|frame| frame.loading || self.loads(&frame.parent))
    }

    /// The page that a frame of another site is in, at whatever depth.
    fn tab_around(&mut self, session: &str) -> Option<&mut Tab> {
        let mut session = session;
        while let Some(frame) = self.frames.get(session) {
            session = &frame.parent;
        }
        self.tabs.get_mut(session)
    }

    /// Hears what the browser tells within this time.
    pub(crate) async fn listen(&mut self, time: Duration) -> Result<(), CdpError> {
        let deadline = Instant::now() + time;
        loop {
            match self.next(0, deadline).await? {
                Heard::Event(event) => self.hear(event).await?,
                Heard::Answer(_) | Heard::Nothing => return Ok(()),
            }
        }
    }

    async fn hear(&mut self, event: Event) -> Result<(), CdpError> {
        let Event { method, params, session } = event;
        match method.as_str() {
            "Target.attachedToTarget" => return self.attached(&session, &params).await,
            "Target.detachedFromTarget" => self.detached(&text(&params, "/sessionId")),
            "Fetch.requestPaused" => {
                if let Some(guard) = &mut self.guard {
                    guard.ask(&session, &params);
                }
            }
            "Page.frameStartedLoading" | "Page.frameStoppedLoading" => {
                let (frame, loading) = (text(&params, "/frameId"), method == "Page.frameStartedLoading");
                if let Some(tab) = self.tabs.get_mut(&session).filter(|tab| tab.target == frame) {
                    tab.loading = loading;
                }
                if let Some(other) = self.frames.get_mut(&session).filter(|other| other.target == frame) {
                    other.loading = loading;
                }
            }
            "Page.frameNavigated" => {
                // In another process the same numbers mean other elements.
                let frame = text(&params, "/frame/id");
                if let Some(tab) = self.tabs.get_mut(&session).filter(|tab| tab.target == frame) {
                    tab.refs.forget();
                } else if self.frames.get(&session).is_some_and(|other| other.target == frame)
                    && let Some(tab) = self.tab_around(&session)
                {
                    tab.refs.forget_those_of(&session);
                }
            }
            "Page.javascriptDialogOpening" => {
                let leaves = text(&params, "/type") == "beforeunload";
                let told = |tab: &&mut Tab| !leaves && tab.dialogs.len() < MOST_DIALOGS;
                if let Some(tab) = self.tabs.get_mut(&session).filter(told) {
                    tab.dialogs.push(text(&params, "/message").chars().take(DIALOG_CHARS).collect());
                }
                self.talk.tell(&session, "Page.handleJavaScriptDialog", json!({ "accept": leaves })).await?;
            }
            _ => {}
        }
        Ok(())
    }

    fn detached(&mut self, session: &str) {
        if let Some(tab) = self.tab_around(session) {
            tab.refs.forget_those_of(session);
        }
        self.tabs.remove(session);
        self.frames.remove(session);
    }

    /// A page, frame or worker begins: it waits until it is set up. `parent` is the session of what it is in, if it is in
    /// something.
    async fn attached(&mut self, parent: &str, params: &Value) -> Result<(), CdpError> {
        let (session, target) = (text(params, "/sessionId"), text(params, "/targetInfo/targetId"));
        let (kind, context) = (text(params, "/targetInfo/type"), text(params, "/targetInfo/browserContextId"));
        let within = self.tabs.contains_key(parent) || self.frames.contains_key(parent);
        let ours = within || self.contexts.contains(&context);
        let too_many = self.tabs.values().filter(|tab| tab.context == context).count() >= MOST_TABS;
        if ours && (kind == "page" || kind == "iframe") {
            for (method, params) in [
                ("Target.setAutoAttach", waiting()),
                ("Page.enable", json!({})),
                ("DOM.enable", json!({})),
                // No file of this machine is offered: choosing one is answered by nobody.
                ("Page.setInterceptFileChooserDialog", json!({ "enabled": true, "cancel": true })),
            ] {
                self.talk.tell(&session, method, params).await?;
            }
        }
        if ours && self.guard.is_some() {
            for (method, params) in Guard::conditions(&kind) {
                self.talk.tell(&session, method, params).await?;
            }
        }
        match kind.as_str() {
            "page" if ours && !too_many => {
                self.tabs.insert(session.clone(), Tab { target: target.clone(), context, ..Tab::default() });
            }
            "iframe" if within => {
                let frame = Frame { target: target.clone(), parent: parent.to_owned(), loading: false };
                self.frames.insert(session.clone(), frame);
            }
            _ => {}
        }
        // One that waits holds up whoever opened it, so that also what is closed at once is let go first.
        self.talk.tell(&session, "Runtime.runIfWaitingForDebugger", json!({})).await?;
        if !ours {
            // Somebody else's, where the browser is not ours alone.
            self.talk.tell("", "Target.detachFromTarget", json!({ "sessionId": session })).await?;
        } else if kind == "page" && too_many {
            self.talk.tell("", "Target.closeTarget", json!({ "targetId": target })).await?;
        }
        Ok(())
    }
}

/// The text at a place of an answer; empty if there is none.
pub(crate) fn text(value: &Value, place: &str) -> String {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}
