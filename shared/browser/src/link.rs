//! A browser that is spoken with: its pages, and what they do unasked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::pipe::{CdpError, Event, Heard, Pipe};
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

/// The pipes and what is known of their other side.
pub(crate) struct Link {
    pipe: Pipe,
    contexts: BTreeSet<String>,
    /// By the session that speaks with it.
    pub(crate) tabs: BTreeMap<String, Tab>,
}

impl Link {
    pub(crate) async fn open(pipe: Pipe) -> Result<Self, CdpError> {
        let mut link = Self { pipe, contexts: BTreeSet::new(), tabs: BTreeMap::new() };
        let all = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        link.call("", "Target.setAutoAttach", all).await?;
        Ok(link)
    }

    /// Asks and awaits the answer.
    pub(crate) async fn call(&mut self, session: &str, method: &str, params: Value) -> Result<Value, CdpError> {
        let id = self.pipe.tell(session, method, params).await?;
        let deadline = Pipe::deadline();
        loop {
            match self.pipe.next(id, deadline).await? {
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
        let deadline = Pipe::deadline();
        loop {
            if let Some((session, _)) = self.tabs.iter().find(|(_, tab)| tab.target == target) {
                return Ok(session.clone());
            }
            match self.pipe.next(0, deadline).await? {
                Heard::Event(event) => self.hear(event).await?,
                Heard::Answer(_) => {}
                Heard::Nothing => return Err(CdpError::Refused("the new page does not answer".to_owned())),
            }
        }
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

    /// Hears what the browser tells within this time.
    pub(crate) async fn listen(&mut self, time: Duration) -> Result<(), CdpError> {
        let deadline = Instant::now() + time;
        loop {
            match self.pipe.next(0, deadline).await? {
                Heard::Event(event) => self.hear(event).await?,
                Heard::Answer(_) | Heard::Nothing => return Ok(()),
            }
        }
    }

    async fn hear(&mut self, event: Event) -> Result<(), CdpError> {
        let Event { method, params, session } = event;
        match method.as_str() {
            "Target.attachedToTarget" => return self.attached(&params).await,
            "Target.detachedFromTarget" => drop(self.tabs.remove(&text(&params, "/sessionId"))),
            "Page.frameStartedLoading" | "Page.frameStoppedLoading" => {
                let frame = text(&params, "/frameId");
                if let Some(tab) = self.tabs.get_mut(&session).filter(|tab| tab.target == frame) {
                    tab.loading = method == "Page.frameStartedLoading";
                }
            }
            "Page.frameNavigated" => {
                // In another process the same numbers mean other elements.
                let frame = text(&params, "/frame/id");
                if let Some(tab) = self.tabs.get_mut(&session).filter(|tab| tab.target == frame) {
                    tab.refs.forget();
                }
            }
            "Page.javascriptDialogOpening" => {
                let leaves = text(&params, "/type") == "beforeunload";
                let told = |tab: &&mut Tab| !leaves && tab.dialogs.len() < MOST_DIALOGS;
                if let Some(tab) = self.tabs.get_mut(&session).filter(told) {
                    tab.dialogs.push(text(&params, "/message").chars().take(DIALOG_CHARS).collect());
                }
                self.pipe.tell(&session, "Page.handleJavaScriptDialog", json!({ "accept": leaves })).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A page or worker begins: it waits until it is set up.
    async fn attached(&mut self, params: &Value) -> Result<(), CdpError> {
        let (session, target) = (text(params, "/sessionId"), text(params, "/targetInfo/targetId"));
        let (kind, context) = (text(params, "/targetInfo/type"), text(params, "/targetInfo/browserContextId"));
        let too_many = self.tabs.values().filter(|tab| tab.context == context).count() >= MOST_TABS;
        if self.contexts.contains(&context) && kind == "page" && !too_many {
            for (method, params) in [
                ("Page.enable", json!({})),
                ("DOM.enable", json!({})),
                // No file of this machine is offered: choosing one is answered by nobody.
                ("Page.setInterceptFileChooserDialog", json!({ "enabled": true, "cancel": true })),
            ] {
                self.pipe.tell(&session, method, params).await?;
            }
            self.tabs.insert(session.clone(), Tab { target: target.clone(), context, ..Tab::default() });
        }
        // One that waits holds up whoever opened it, so that also what is closed at once is let go first.
        self.pipe.tell(&session, "Runtime.runIfWaitingForDebugger", json!({})).await?;
        if kind == "page" && too_many {
            self.pipe.tell("", "Target.closeTarget", json!({ "targetId": target })).await?;
        }
        Ok(())
    }
}

/// The text at a place of an answer; empty if there is none.
pub(crate) fn text(value: &Value, place: &str) -> String {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}
