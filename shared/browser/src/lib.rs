#![doc = include_str!("../README.md")]

mod asked;
mod cdp;
mod keys;
mod link;
#[cfg(feature = "local")]
mod local;
mod page;
mod remote;
mod running;
mod snapshot;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::outside::{PICTURES, quoted};
use chela_core::queue::Authority;
use chela_core::shown::add_line;
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use chela_http::{HostPort, HttpClient, HttpError};
use chela_media::{keep_file, picture_answer};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::asked::{Action, Asked};
use crate::cdp::CdpError;
#[cfg(feature = "local")]
pub use crate::local::{Launch, find_chromium};
use crate::page::Seen;
pub use crate::remote::Endpoint;
use crate::running::{Done, Place, Running};
use crate::snapshot::part;

/// Longest time for one action; a tool has thirty seconds.
const WITHIN: Duration = Duration::from_secs(28);

/// A browser that nobody uses ends.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// A browser for the owner's conversations, each with pages and cookies of its own. It is started when it is needed, or
/// connected with, and ends with this value.
pub struct Browser {
    place: Box<dyn Place>,
    /// Says early where pages cannot be opened.
    http: HttpClient,
    idle: Duration,
    running: Arc<Mutex<Option<Running>>>,
    ending: std::sync::Mutex<Option<AbortHandle>>,
}

impl Browser {
    /// A Chromium of this machine. Pages reach public addresses, and of private ones only `private`, whatever `http` may reach.
    #[cfg(feature = "local")]
    pub fn local(launch: Launch, http: &HttpClient, private: Vec<HostPort>) -> Self {
        let place = local::Here::new(launch, http, private.clone());
        Self::at(Box::new(place), http.allowing(private))
    }

    /// A browser elsewhere. The same holds for its pages, as far as can be held from here: see the README.
    pub fn remote(endpoint: Endpoint, http: &HttpClient, private: Vec<HostPort>) -> Self {
        let place = remote::There::new(endpoint, http, private.clone());
        Self::at(Box::new(place), http.allowing(private))
    }

    fn at(place: Box<dyn Place>, http: HttpClient) -> Self {
        Self { place, http, idle: IDLE, running: Arc::default(), ending: std::sync::Mutex::default() }
    }
}

#[async_trait]
impl Tool for Browser {
    fn spec(&self) -> ToolSpec {
        asked::spec()
    }

    /// A click may order something, and nobody can tell whether it did.
    fn effect(&self) -> Effect {
        Effect::Unkeyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority == Authority::Owner
    }

    /// Few turns need it.
    fn on_demand(&self) -> bool {
        true
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        if !self.offered(call.caller) {
            return ToolAnswer::error("The browser is for the owner alone.");
        }
        self.end_when_idle();
        let answer = tokio::time::timeout(WITHIN, self.acted(&call)).await;
        answer
            .unwrap_or_else(|_| Err("The page takes too long. Look with snapshot whether it has come.".to_owned()))
            .unwrap_or_else(ToolAnswer::error)
    }

    async fn rest(&self) {
        let browser = self.running.lock().await.take();
        if let Some(browser) = browser {
            browser.end().await;
        }
    }
}

impl Browser {
    async fn acted(&self, call: &ToolCall<'_>) -> Result<ToolAnswer, String> {
        let asked = Asked::read(call.input)?;
        let url = self.judged(&asked).await?;
        let mut running = self.running.lock().await;
        if let Some(browser) = &mut *running
            && !browser.answers().await
        {
            *running = None;
        }
        if asked.action == Action::Close {
            if let Some(mut browser) = running.take() {
                match browser.leave(call.session.as_str()).await {
                    true => *running = Some(browser),
                    false => browser.end().await,
                }
            }
            return Ok(ToolAnswer::ok("Closed, with all its pages and cookies."));
        }
        let browser = match &mut *running {
            Some(browser) => browser,
            none if url.is_some() => none.insert(Running::start(self.place.as_ref()).await?),
            _ => return Err("No page is open. Begin with navigate.".to_owned()),
        };
        match browser.act(call.session.as_str(), &asked, url.as_deref()).await {
            Ok(done) => told(done, &asked, call).await,
            Err(CdpError::Refused(reason)) => Err(format!("The browser does not do that: {reason}.")),
            Err(CdpError::Lost(reason)) => {
                *running = None;
                Err(format!("The browser is gone ({reason}), and its pages with it. Begin again with navigate."))
            }
        }
    }

    /// The URL that is to be opened, if it may be. The requests of the page itself are judged where they are sent.
    async fn judged(&self, asked: &Asked) -> Result<Option<String>, String> {
        if asked.action != Action::Navigate {
            return Ok(None);
        }
        let url = asked.url.as_deref().map(str::trim).filter(|url| !url.is_empty()).ok_or("Say where to: url.")?;
        let url = if url.contains(':') { url.to_owned() } else { format!("https://{url}") };
        match (self.http.vet(&url).await, url.strip_prefix("http://")) {
            (Ok(_), _) => Ok(Some(url)),
            (Err(HttpError::Blocked { .. }), Some(rest)) => {
                let url = format!("https://{rest}");
                self.http.vet(&url).await.map_err(|error| format!("{error}."))?;
                Ok(Some(url))
            }
            (Err(error), _) => Err(format!("{error}. Only public pages can be opened.")),
        }
    }

    /// Begins the wait anew after which the browser ends.
    fn end_when_idle(&self) {
        let (running, idle) = (Arc::downgrade(&self.running), self.idle);
        let waiting = tokio::spawn(async move {
            tokio::time::sleep(idle).await;
            let Some(running) = running.upgrade() else { return };
            let browser = running.lock().await.take();
            if let Some(browser) = browser {
                browser.end().await;
            }
        });
        let mut ending = self.ending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(before) = ending.replace(waiting.abort_handle()) {
            before.abort();
        }
    }
}

/// What the model reads. Whatever a page says stands in a quote.
async fn told(done: Done, asked: &Asked, call: &ToolCall<'_>) -> Result<ToolAnswer, String> {
    match done {
        Done::Said(text) => Ok(ToolAnswer::ok(quoted(&call.clock.unique(), "the browser's pages", &text))),
        Done::Seen(seen) => {
            let Seen { url, title, text, dialogs, opened } = *seen;
            let number = asked.part.unwrap_or(1);
            let (shown, parts) = part(&text, number);
            let mut said = format!("{title}\n\n{shown}");
            for dialog in dialogs {
                said.push_str(&format!("\nA dialog, dismissed: {dialog}"));
            }
            let mut answer = quoted(&call.clock.unique(), &format!("the browser at {url}"), &said);
            if opened > 0 {
                answer.push_str(&format!("\n[New pages: {opened}; see tabs.]"));
            }
            if parts > 1 {
                answer.push_str(&format!("\n[Part {number} of {parts}. snapshot with part shows another one.]"));
            }
            Ok(ToolAnswer::ok(answer))
        }
        Done::Picture(picture, kind) => {
            let path = keep_file(call, picture.into(), kind).await?;
            let mut answer = picture_answer(call, "The page was photographed.", &path).await;
            if !answer.files.is_empty() {
                add_line(&mut answer.text, PICTURES);
            }
            Ok(answer)
        }
    }
}

#[cfg(test)]
mod tests;
