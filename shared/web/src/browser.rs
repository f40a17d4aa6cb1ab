//! `browser`: a real browser, read as text and used by hand. For the owner only.

mod cdp;
mod dial;
mod keys;
mod launch;
mod link;
mod page;
mod proxy;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_core::model::ToolSpec;
use chela_core::outside::quoted;
use chela_core::queue::Authority;
use chela_core::secret::Secret;
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use chela_http::{HttpClient, HttpError};
use chela_media::{file_answer, keep_file};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::browser::cdp::{Cdp, CdpError};
pub use crate::browser::dial::cdp_origin;
use crate::browser::launch::Chromium;
pub use crate::browser::launch::{Launch, find_chromium};
use crate::browser::link::Link;
use crate::browser::page::{Page, Seen};
use crate::browser::proxy::Proxy;

/// Longest snapshot.
const SNAPSHOT_CHARS: usize = 12_000;

/// Longest time for one action; a tool has thirty seconds.
const WITHIN: Duration = Duration::from_secs(28);

/// A browser that nobody uses ends.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// Most conversations with pages, and most pages of one.
const MOST_SEATS: usize = 4;
const MOST_TABS: usize = 8;

/// Which browser.
#[derive(Clone)]
pub enum Which {
    /// One of this machine, started when it is needed.
    Local(Launch),
    /// One that runs elsewhere: the address of its DevTools, which may hold a key.
    Remote(Secret),
}

/// A browser for the owner's conversations, each with pages and cookies of its own.
pub struct Browser {
    which: Which,
    /// For the pages.
    pages: HttpClient,
    /// For the way to a browser elsewhere.
    door: HttpClient,
    running: Arc<Mutex<Option<Running>>>,
    ending: std::sync::Mutex<Option<AbortHandle>>,
}

struct Running {
    link: Link,
    /// By conversation.
    seats: BTreeMap<String, Seat>,
    /// Dropped behind the link: the browser first, then its proxy.
    chromium: Option<(Chromium, Proxy)>,
}

struct Seat {
    context: String,
    /// The session of the page that is acted on.
    current: String,
    used: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[serde(alias = "open")]
    Navigate,
    Snapshot,
    Click,
    Type,
    Press,
    Select,
    Scroll,
    Back,
    Screenshot,
    Tabs,
    Close,
}

#[derive(Debug, Deserialize)]
struct Arguments {
    action: Action,
    #[serde(default)]
    url: Option<String>,
    #[serde(rename = "ref", default)]
    element: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    submit: bool,
    #[serde(default)]
    tab: Option<usize>,
}

/// What an action comes to.
enum Done {
    Seen(Box<Seen>),
    Picture(String),
    Said(String),
}

impl Browser {
    /// The tool. Pages reach public addresses only, whatever `http` may reach.
    pub fn new(which: Which, http: &HttpClient) -> Self {
        Self::within(which, http.public_only(), http.clone())
    }

    /// The tool for tests, whose pages are on this machine.
    pub(crate) fn within(which: Which, pages: HttpClient, door: HttpClient) -> Self {
        Self { which, pages, door, running: Arc::default(), ending: std::sync::Mutex::default() }
    }
}

#[async_trait]
impl Tool for Browser {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "browser".into(),
            description: "Use a web browser. Every action answers with the page as a tree in which elements have refs such as \
                          e3: click, type into, select and scroll to them by these. text: what to type, the option to select, \
                          the key to press (Enter, Tab, …), or up for scroll. tabs lists pages; tab switches to one."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": { "type": "string", "enum": [
                        "navigate", "snapshot", "click", "type", "press", "select", "scroll", "back", "screenshot", "tabs",
                        "close"
                    ] },
                    "url": { "type": "string" },
                    "ref": { "type": "string" },
                    "text": { "type": "string" },
                    "submit": { "type": "boolean", "description": "press Enter after typing" },
                    "tab": { "type": "integer" },
                },
                "required": ["action"],
            }),
        }
    }

    /// A click may order something, and nobody can tell whether it did.
    fn effect(&self) -> Effect {
        Effect::Unkeyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority == Authority::Owner
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        if !self.offered(call.caller) {
            return ToolAnswer::error("The browser is for the owner alone.");
        }
        let answer = tokio::time::timeout(WITHIN, self.acted(&call)).await;
        self.end_when_idle();
        answer
            .unwrap_or_else(|_| Err("The page takes too long. Look with snapshot whether it has come.".to_owned()))
            .unwrap_or_else(ToolAnswer::error)
    }
}

impl Browser {
    async fn acted(&self, call: &ToolCall<'_>) -> Result<ToolAnswer, String> {
        let arguments: Arguments = crate::arguments(call.input)?;
        let mut running = self.running.lock().await;
        let gone = running.as_mut().is_some_and(|it| it.chromium.as_mut().is_some_and(|(child, _)| !child.runs()));
        if gone {
            *running = None;
        }
        if arguments.action == Action::Close {
            return self.close(&mut running, call.session.as_str()).await;
        }
        let judged = self.judged(&arguments).await?;
        if running.is_none() {
            *running = Some(self.start(&call.clock.unique()).await?);
        }
        let Some(browser) = running.as_mut() else { return Err("There is no browser.".to_owned()) };
        match browser.act(call.session.as_str(), &arguments, judged.as_deref()).await {
            Ok(done) => self.told(done, call).await,
            Err(CdpError::Refused(reason)) => Err(format!("The browser does not do that: {reason}.")),
            Err(CdpError::Lost(reason)) => {
                *running = None;
                Err(format!("The browser is gone ({reason}), and its pages with it. Begin again with navigate."))
            }
        }
    }

    /// The URL that is to be opened, if it may be. The requests of the page itself are judged where they are sent.
    async fn judged(&self, arguments: &Arguments) -> Result<Option<String>, String> {
        if arguments.action != Action::Navigate {
            return Ok(None);
        }
        let url = arguments.url.as_deref().map(str::trim).filter(|url| !url.is_empty()).ok_or("Say where to: url.")?;
        let url = if url.contains("://") || url.contains(':') { url.to_owned() } else { format!("https://{url}") };
        match (self.pages.vet(&url).await, url.strip_prefix("http://")) {
            (Ok(_), _) => Ok(Some(url)),
            (Err(HttpError::Blocked { .. }), Some(rest)) => {
                let url = format!("https://{rest}");
                self.pages.vet(&url).await.map_err(|error| format!("{error}."))?;
                Ok(Some(url))
            }
            (Err(error), _) => Err(format!("{error}. Only public pages can be opened.")),
        }
    }

    async fn start(&self, nonce: &str) -> Result<Running, String> {
        let (cdp, chromium) = match &self.which {
            Which::Local(launch) => {
                let proxy = Proxy::open(self.pages.clone()).await.map_err(|error| format!("No proxy: {error}."))?;
                let chromium = Chromium::start(launch, proxy.address).await?;
                (Cdp::local(&chromium.door).await?, Some((chromium, proxy)))
            }
            Which::Remote(url) => (Cdp::remote(&self.door, url.expose(), nonce).await?, None),
        };
        let link = Link::open(cdp, self.pages.clone(), chromium.is_none()).await.map_err(|error| match error {
            CdpError::Lost(reason) | CdpError::Refused(reason) => format!("The browser does not answer: {reason}."),
        })?;
        Ok(Running { link, seats: BTreeMap::new(), chromium })
    }

    async fn close(&self, running: &mut Option<Running>, conversation: &str) -> Result<ToolAnswer, String> {
        if let Some(browser) = running.as_mut() {
            if let Some(seat) = browser.seats.remove(conversation) {
                // A browser that is gone has closed it.
                let _ = browser.link.end_context(&seat.context).await;
            }
            if browser.seats.is_empty() {
                *running = None;
            }
        }
        Ok(ToolAnswer::ok("Closed, with all its pages and cookies."))
    }

    async fn told(&self, done: Done, call: &ToolCall<'_>) -> Result<ToolAnswer, String> {
        match done {
            Done::Said(text) => Ok(ToolAnswer::ok(quoted(&call.clock.unique(), "the browser's pages", &text))),
            Done::Seen(seen) => {
                let Seen { url, title, text, dialogs } = *seen;
                let all = text.chars().count();
                let mut said = format!("{title}\n\n{}", text.chars().take(SNAPSHOT_CHARS).collect::<String>());
                for dialog in dialogs {
                    said.push_str(&format!("\nA dialog, dismissed: {dialog}"));
                }
                let mut answer = quoted(&call.clock.unique(), &format!("the browser at {url}"), &said);
                if all > SNAPSHOT_CHARS {
                    answer.push_str(&format!(
                        "\n[The first {SNAPSHOT_CHARS} of {all} characters. web_fetch reads long pages.]"
                    ));
                }
                Ok(ToolAnswer::ok(answer))
            }
            Done::Picture(data) => {
                let picture = STANDARD.decode(data).map_err(|_| "The picture is damaged.".to_owned())?;
                let path = keep_file(call, picture.into(), "png").await?;
                Ok(file_answer("The page was photographed.", &path))
            }
        }
    }

    /// Begins the wait anew after which the browser ends.
    fn end_when_idle(&self) {
        let running = Arc::downgrade(&self.running);
        let waiting = tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            if let Some(running) = running.upgrade() {
                *running.lock().await = None;
            }
        });
        let mut ending = self.ending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(before) = ending.replace(waiting.abort_handle()) {
            before.abort();
        }
    }
}

impl Running {
    async fn act(&mut self, conversation: &str, asked: &Arguments, url: Option<&str>) -> Result<Done, CdpError> {
        let session = self.page_of(conversation, asked, url.is_some()).await?;
        let before: Vec<String> = self.link.tabs.keys().cloned().collect();
        let mut page = Page { link: &mut self.link, session: &session };
        let refused = |what: &str| CdpError::Refused(what.to_owned());
        let words = asked.text.as_deref();
        let element = asked.element.as_deref().map(|name| page.element(name)).transpose()?;
        let named = || element.ok_or_else(|| refused("say which element: ref"));
        match asked.action {
            Action::Navigate => page.navigate(url.ok_or_else(|| refused("say where to: url"))?).await?,
            Action::Click => page.click(named()?).await?,
            Action::Type => page.type_into(named()?, words.unwrap_or_default(), asked.submit).await?,
            Action::Press => page.press(words.ok_or_else(|| refused("say which key: text"))?).await?,
            Action::Select => page.select(named()?, words.ok_or_else(|| refused("say which option: text"))?).await?,
            Action::Scroll => page.scroll(element, words == Some("up")).await?,
            Action::Back => page.back().await?,
            Action::Screenshot => return page.screenshot().await.map(Done::Picture),
            Action::Tabs => return self.listed(conversation).await,
            Action::Snapshot | Action::Close => {}
        }
        let mut seen = page.see().await?;
        let opened = self.link.tabs.keys().filter(|session| !before.contains(session)).count();
        if opened > 0 {
            seen.text.push_str(&format!("\n({opened} new page opened; see tabs)\n"));
        }
        Ok(Done::Seen(Box::new(seen)))
    }

    /// The page that is acted on; a conversation without one gets one if it is about to open something.
    async fn page_of(&mut self, conversation: &str, asked: &Arguments, opens: bool) -> Result<String, CdpError> {
        let refused = |what: &str| CdpError::Refused(what.to_owned());
        if !self.seats.contains_key(conversation) {
            if !opens {
                return Err(refused("no page is open; begin with navigate"));
            }
            if self.seats.len() >= MOST_SEATS
                && let Some(oldest) = self.seats.iter().min_by_key(|(_, seat)| seat.used).map(|(name, _)| name.clone())
                && let Some(oldest) = self.seats.remove(&oldest)
            {
                self.link.end_context(&oldest.context).await?;
            }
            let context = self.link.new_context().await?;
            let current = self.link.new_tab(&context).await?;
            self.seats.insert(conversation.to_owned(), Seat { context, current, used: Instant::now() });
        }
        let Some(seat) = self.seats.get_mut(conversation) else { return Err(refused("no page is open")) };
        seat.used = Instant::now();
        let own: Vec<String> = self
            .link
            .tabs
            .iter()
            .filter(|(_, tab)| tab.context == seat.context)
            .map(|(session, _)| session.clone())
            .collect();
        if let Some(number) = asked.tab {
            let chosen = number.checked_sub(1).and_then(|at| own.get(at));
            seat.current = chosen.cloned().ok_or_else(|| refused("there is no such tab; see tabs"))?;
        }
        if own.contains(&seat.current) {
            return Ok(seat.current.clone());
        }
        // The page closed itself.
        seat.current = match own.last() {
            Some(other) => other.clone(),
            None => self.link.new_tab(&seat.context).await?,
        };
        Ok(seat.current.clone())
    }

    async fn listed(&mut self, conversation: &str) -> Result<Done, CdpError> {
        let Some(seat) = self.seats.get(conversation) else { return Ok(Done::Said("No page is open.".to_owned())) };
        let (context, current) = (seat.context.clone(), seat.current.clone());
        let infos = self.link.call("", "Target.getTargets", json!({})).await?;
        let mut lines = Vec::new();
        let own = self.link.tabs.iter().filter(|(_, tab)| tab.context == context);
        for (at, (session, tab)) in own.take(MOST_TABS).enumerate() {
            let info = infos.pointer("/targetInfos").and_then(|all| {
                all.as_array()?.iter().find(|info| link::text(info, "/targetId") == tab.target).cloned()
            });
            let info = info.unwrap_or_default();
            let here = if *session == current { " (here)" } else { "" };
            let number = at.saturating_add(1);
            lines.push(format!("{number}. {} {}{here}", link::text(&info, "/title"), link::text(&info, "/url")));
        }
        Ok(Done::Said(lines.join("\n")))
    }
}
