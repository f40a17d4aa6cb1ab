//! What is done on a page.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_core::shown::PICTURE_BYTES;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cdp::CdpError;
use crate::keys;
use crate::link::{Link, text};
use crate::snapshot::{Element, Tree, Trees, render};

/// Most frames of a page that are shown.
const MOST_FRAMES: usize = 20;

/// How long words may take to appear, how long is waited without any, and how often is looked.
const WORDS_WITHIN: Duration = Duration::from_secs(15);
const A_WHILE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The quality of a picture that is too large otherwise.
const QUALITY: u8 = 60;

/// One page, acted on.
pub(crate) struct Page<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) session: &'a str,
}

/// What a page says of itself.
pub(crate) struct Seen {
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) dialogs: Vec<String>,
    /// Pages that opened meanwhile.
    pub(crate) opened: usize,
}

impl Page<'_> {
    async fn call(&mut self, method: &str, params: Value) -> Result<Value, CdpError> {
        self.link.call(self.session, method, params).await
    }

    async fn on(&mut self, element: &Element, method: &str) -> Result<Value, CdpError> {
        self.link.call(&element.session, method, json!({ "backendNodeId": element.node })).await
    }

    /// Brings it before all others.
    pub(crate) async fn show(&mut self) -> Result<(), CdpError> {
        self.call("Page.bringToFront", json!({})).await.map(drop)
    }

    /// Opens a URL, which must have been judged.
    pub(crate) async fn navigate(&mut self, url: &str) -> Result<(), CdpError> {
        let gone = self.call("Page.navigate", json!({ "url": url })).await?;
        let error = text(&gone, "/errorText");
        if gone.get("isDownload").is_some_and(|is| *is == true) || error == "net::ERR_ABORTED" {
            return Err(CdpError::Refused("it is a file to be downloaded, or nothing to be shown".to_owned()));
        }
        if !error.is_empty() {
            return Err(CdpError::Refused(format!("the page cannot be opened: {error}")));
        }
        self.link.settle(self.session).await
    }

    /// One page back.
    pub(crate) async fn back(&mut self) -> Result<(), CdpError> {
        let history = self.call("Page.getNavigationHistory", json!({})).await?;
        let at = history.get("currentIndex").and_then(Value::as_u64).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|at| history.pointer(&format!("/entries/{at}/id")).cloned());
        let before = before.ok_or_else(|| CdpError::Refused("there is no page before this one".to_owned()))?;
        self.call("Page.navigateToHistoryEntry", json!({ "entryId": before })).await?;
        self.link.settle(self.session).await
    }

    /// The page as text.
    pub(crate) async fn see(&mut self) -> Result<Seen, CdpError> {
        let history = self.call("Page.getNavigationHistory", json!({})).await?;
        let at = history.get("currentIndex").and_then(Value::as_u64).unwrap_or_default();
        let (url, title) =
            (text(&history, &format!("/entries/{at}/url")), text(&history, &format!("/entries/{at}/title")));
        let trees = self.trees().await?;
        let session = self.session;
        let Some(tab) = self.link.tabs.get_mut(session) else {
            return Err(CdpError::Refused("the page is closed".to_owned()));
        };
        let dialogs = std::mem::take(&mut tab.dialogs);
        Ok(Seen { url, title, text: render(&trees, &mut tab.refs), dialogs, opened: 0 })
    }

    async fn trees(&mut self) -> Result<Trees, CdpError> {
        let main = nodes(self.call("Accessibility.getFullAXTree", json!({})).await?);
        let main = Tree { session: self.session.to_owned(), nodes: main };
        let mut frames = BTreeMap::new();
        let mut waiting = vec![self.session.to_owned()];
        while let Some(session) = waiting.pop() {
            self.frames_of_the_site(&session, &mut frames).await;
            let others = self.link.frames.iter().filter(|(_, frame)| frame.parent == session);
            let others: Vec<(String, String)> =
                others.map(|(session, frame)| (session.clone(), frame.target.clone())).collect();
            for (inner, target) in others {
                let owner = self.owner(&session, &target).await;
                let tree = self.link.call(&inner, "Accessibility.getFullAXTree", json!({})).await;
                // A frame may be gone by now.
                if let (Some(owner), Ok(tree)) = (owner, tree)
                    && frames.len() < MOST_FRAMES
                {
                    frames.insert(owner, Tree { session: inner.clone(), nodes: nodes(tree) });
                    waiting.push(inner);
                }
            }
        }
        Ok(Trees { main, frames })
    }

    /// The trees of those frames that the session of a page, or of a frame of another site, speaks with itself.
    async fn frames_of_the_site(&mut self, session: &str, frames: &mut BTreeMap<Element, Tree>) {
        let tree = self.link.call(session, "Page.getFrameTree", json!({})).await.unwrap_or_default();
        let mut waiting = vec![tree.get("frameTree").cloned().unwrap_or_default()];
        while let Some(frame) = waiting.pop() {
            for child in frame.get("childFrames").and_then(Value::as_array).into_iter().flatten() {
                waiting.push(child.clone());
                let id = text(child, "/frame/id");
                let owner = self.owner(session, &id).await;
                let inner = self.link.call(session, "Accessibility.getFullAXTree", json!({ "frameId": id })).await;
                if let (Some(owner), Ok(inner)) = (owner, inner)
                    && frames.len() < MOST_FRAMES
                {
                    frames.insert(owner, Tree { session: session.to_owned(), nodes: nodes(inner) });
                }
            }
        }
    }

    /// The element that holds a frame.
    async fn owner(&mut self, session: &str, frame: &str) -> Option<Element> {
        let owner = self.link.call(session, "DOM.getFrameOwner", json!({ "frameId": frame })).await.ok()?;
        let node = owner.get("backendNodeId").and_then(Value::as_i64)?;
        Some(Element { session: session.to_owned(), node })
    }

    /// The element of a ref such as `e3`.
    pub(crate) fn element(&self, name: &str) -> Result<Element, CdpError> {
        let digits = name.trim().trim_start_matches('@').strip_prefix('e');
        let number = digits.and_then(|digits| digits.parse::<usize>().ok());
        let known = self.link.tabs.get(self.session).map(|tab| &tab.refs);
        let found = number.and_then(|number| known?.element(number).cloned());
        found.ok_or_else(|| {
            CdpError::Refused(format!("there is no element {name:?}; refs are those of the last snapshot"))
        })
    }

    /// Clicks in the middle of an element, as a hand would.
    pub(crate) async fn click(&mut self, element: &Element) -> Result<(), CdpError> {
        self.on(element, "DOM.scrollIntoViewIfNeeded").await.map_err(gone)?;
        let quads = self.on(element, "DOM.getContentQuads").await?;
        let quad: Vec<f64> = quads
            .pointer("/quads/0")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect();
        let middle = |first: usize| quad.iter().skip(first).step_by(2).sum::<f64>() / 4.0;
        if quad.len() != 8 {
            return Err(CdpError::Refused("the element has no place on the page".to_owned()));
        }
        let (x, y) = (middle(0), middle(1));
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
            self.link.call(&element.session, "Input.dispatchMouseEvent", event).await?;
        }
        self.link.settle(&element.session).await
    }

    /// Puts words into a field in the place of what it holds.
    pub(crate) async fn type_into(&mut self, element: &Element, words: &str, submit: bool) -> Result<(), CdpError> {
        self.on(element, "DOM.focus").await.map_err(gone)?;
        let clear = "function() { if (this.select) { this.select(); } else { document.execCommand('selectAll'); } }";
        self.run_on(element, clear, &[]).await?;
        match words.is_empty() {
            true => self.key("Delete").await?,
            false => {
                self.link.call(&element.session, "Input.insertText", json!({ "text": words })).await?;
            }
        }
        if submit {
            self.key("Enter").await?;
        }
        self.link.settle(&element.session).await
    }

    /// Presses a key on whatever has the focus.
    pub(crate) async fn press(&mut self, key: &str) -> Result<(), CdpError> {
        self.key(key).await?;
        self.link.settle(self.session).await
    }

    async fn key(&mut self, key: &str) -> Result<(), CdpError> {
        let known =
            keys::find(key).ok_or_else(|| CdpError::Refused(format!("there is no key {key:?}; {}", keys::HINT)))?;
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", known.event(kind)).await?;
        }
        Ok(())
    }

    /// Chooses an option of a list by what it says or by its value.
    pub(crate) async fn select(&mut self, element: &Element, option: &str) -> Result<(), CdpError> {
        let choose = "function(wanted) {
            const options = Array.from(this.options || []);
            const found = options.find((o) => o.value === wanted || o.label.trim() === wanted.trim());
            if (!found) { return options.map((o) => o.label.trim()).slice(0, 30).join(', ') || 'no list'; }
            found.selected = true;
            this.dispatchEvent(new Event('input', { bubbles: true }));
            this.dispatchEvent(new Event('change', { bubbles: true }));
            return '';
        }";
        let missing = self.run_on(element, choose, &[option]).await?;
        match missing.as_str().unwrap_or_default() {
            "" => self.link.settle(&element.session).await,
            _ => Err(CdpError::Refused("there is no such option; the snapshot shows those there are".to_owned())),
        }
    }

    /// Scrolls to an element, or by most of a screen.
    pub(crate) async fn scroll(&mut self, element: Option<&Element>, up: bool) -> Result<(), CdpError> {
        match element {
            Some(element) => {
                self.on(element, "DOM.scrollIntoViewIfNeeded").await.map_err(gone)?;
            }
            None => {
                let by = if up { -0.8 } else { 0.8 };
                let scroll = format!("window.scrollBy(0, {by} * window.innerHeight)");
                self.call("Runtime.evaluate", json!({ "expression": scroll })).await?;
            }
        }
        self.link.settle(self.session).await
    }

    /// Waits until the page shows these words, or a while if there are none.
    pub(crate) async fn wait(&mut self, words: Option<&str>) -> Result<(), CdpError> {
        let Some(words) = words else { return self.link.listen(A_WHILE).await };
        let deadline = Instant::now() + WORDS_WITHIN;
        while !self.trees().await?.say(words) {
            if Instant::now() >= deadline {
                let seconds = WORDS_WITHIN.as_secs();
                return Err(CdpError::Refused(format!("these words do not appear within {seconds} seconds")));
            }
            self.link.listen(LOOK_EVERY).await?;
        }
        Ok(())
    }

    /// A picture of what is seen, and the extension of its kind.
    pub(crate) async fn screenshot(&mut self) -> Result<(Vec<u8>, &'static str), CdpError> {
        let forms = [("png", json!({ "format": "png" })), ("jpg", json!({ "format": "jpeg", "quality": QUALITY }))];
        for (extension, form) in forms {
            let picture = self.call("Page.captureScreenshot", form).await?;
            let picture = STANDARD.decode(text(&picture, "/data"));
            let picture = picture.map_err(|_| CdpError::Refused("the picture is damaged".to_owned()))?;
            if picture.len() <= PICTURE_BYTES {
                return Ok((picture, extension));
            }
        }
        Err(CdpError::Refused(format!("the picture is over {PICTURE_BYTES} bytes")))
    }

    async fn run_on(&mut self, element: &Element, function: &str, words: &[&str]) -> Result<Value, CdpError> {
        let object = self.on(element, "DOM.resolveNode").await.map_err(gone)?;
        let arguments: Vec<Value> = words.iter().map(|word| json!({ "value": word })).collect();
        let call = json!({
            "objectId": text(&object, "/object/objectId"),
            "functionDeclaration": function,
            "arguments": arguments,
            "returnByValue": true,
        });
        let answer = self.link.call(&element.session, "Runtime.callFunctionOn", call).await?;
        Ok(answer.pointer("/result/value").cloned().unwrap_or_default())
    }
}

fn nodes(answer: Value) -> Vec<Value> {
    answer.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn gone(error: CdpError) -> CdpError {
    match error {
        CdpError::Refused(_) => CdpError::Refused("that element is not there any more, or cannot be seen".to_owned()),
        lost => lost,
    }
}
