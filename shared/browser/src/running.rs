//! A browser that runs, and who has which of its pages.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;

use crate::asked::{Action, Asked};
use crate::cdp::{CdpError, Wire};
use crate::link::{Link, text};
use crate::page::{Page, Seen};
use crate::remote::Guard;

/// Most conversations with pages. The one that was still for the longest gives way.
const MOST_SEATS: usize = 4;

/// How long a browser may be silent that was there before.
const SILENT: Duration = Duration::from_secs(3);

/// Where a browser is to be had.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// A browser to speak with, or why there is none, in words for the model.
    async fn open(&self) -> Result<Opened, String>;
}

/// A connection with a browser, and what guards its pages if they do not leave through a proxy of ours.
pub(crate) struct Opened {
    pub(crate) wire: Box<dyn Wire>,
    pub(crate) guard: Option<Guard>,
}

/// What an action comes to.
pub(crate) enum Done {
    Seen(Box<Seen>),
    /// A picture, and the extension of its kind.
    Picture(Vec<u8>, &'static str),
    Said(String),
}

/// A browser that is spoken with. It ends with this value, or is let go.
pub(crate) struct Running {
    link: Link,
    /// By conversation.
    seats: BTreeMap<String, Seat>,
}

/// A conversation's own place, with cookies and pages that no other one sees.
struct Seat {
    context: String,
    /// The session of the page that is acted on.
    current: String,
    used: Instant,
}

fn refused(what: &str) -> CdpError {
    CdpError::Refused(what.to_owned())
}

impl Running {
    /// Starts it, or connects with it.
    pub(crate) async fn start(place: &dyn Place) -> Result<Self, String> {
        let mut link = Link::new(place.open().await?);
        match link.begin().await {
            Ok(()) => Ok(Self { link, seats: BTreeMap::new() }),
            Err(CdpError::Lost(reason)) => {
                Err(format!("Chromium ended at once: {}.", link.complaint().unwrap_or(reason)))
            }
            Err(CdpError::Refused(reason)) => Err(format!("Chromium does not answer: {reason}.")),
        }
    }

    /// Whether it is still there: one that died, or a service that let go of it.
    pub(crate) async fn answers(&mut self) -> bool {
        let asked = tokio::time::timeout(SILENT, self.link.call("", "Browser.getVersion", json!({}))).await;
        asked.is_ok_and(|answer| !matches!(answer, Err(CdpError::Lost(_))))
    }

    /// Ends it, with its pages and cookies.
    pub(crate) async fn end(self) {
        self.link.end().await;
    }

    /// Ends a conversation's pages and cookies; whether anybody else has some.
    pub(crate) async fn leave(&mut self, conversation: &str) -> bool {
        if let Some(seat) = self.seats.remove(conversation) {
            // A browser that is gone has ended it.
            let _ = self.link.end_context(&seat.context).await;
        }
        !self.seats.is_empty()
    }

    /// Does what is asked on a page of this conversation.
    pub(crate) async fn act(&mut self, conversation: &str, asked: &Asked, url: Option<&str>) -> Result<Done, CdpError> {
        let session = self.page_of(conversation, asked, url.is_some()).await?;
        let before: Vec<String> = self.link.tabs.keys().cloned().collect();
        let mut page = Page { link: &mut self.link, session: &session };
        // Another page may have come before it, and Chromium does not tell those behind of clicks.
        page.show().await?;
        let words = asked.text.as_deref().filter(|words| !words.is_empty());
        let element = asked.element.as_deref().map(|name| page.element(name)).transpose()?;
        let element = element.as_ref();
        let named = || element.ok_or_else(|| refused("say which element: ref"));
        match asked.action {
            Action::Navigate => page.navigate(url.ok_or_else(|| refused("say where to: url"))?).await?,
            Action::Click => page.click(named()?).await?,
            Action::Type => page.type_into(named()?, words.unwrap_or_default(), asked.submit).await?,
            Action::Press => page.press(words.ok_or_else(|| refused("say which key: text"))?).await?,
            Action::Select => page.select(named()?, words.ok_or_else(|| refused("say which option: text"))?).await?,
            Action::Scroll => page.scroll(element, words == Some("up")).await?,
            Action::Wait => page.wait(words).await?,
            Action::Back => page.back().await?,
            Action::Screenshot => return page.screenshot().await.map(|(picture, kind)| Done::Picture(picture, kind)),
            Action::Tabs => return self.listed(conversation).await,
            Action::Snapshot | Action::Close => {}
        }
        let mut seen = page.see().await?;
        let opened = self.link.tabs.keys().filter(|session| !before.contains(session)).count();
        seen.opened = opened;
        Ok(Done::Seen(Box::new(seen)))
    }

    /// The page that is acted on; a conversation without one gets one if it is about to open something.
    async fn page_of(&mut self, conversation: &str, asked: &Asked, opens: bool) -> Result<String, CdpError> {
        if !self.seats.contains_key(conversation) {
            if !opens {
                return Err(refused("no page is open; begin with navigate"));
            }
            self.make_room().await?;
            let context = self.link.new_context().await?;
            let current = self.link.new_tab(&context).await?;
            self.seats.insert(conversation.to_owned(), Seat { context, current, used: Instant::now() });
        }
        let Some(seat) = self.seats.get_mut(conversation) else { return Err(refused("no page is open")) };
        seat.used = Instant::now();
        let of_seat = self.link.tabs.iter().filter(|(_, tab)| tab.context == seat.context);
        let own: Vec<String> = of_seat.map(|(session, _)| session.clone()).collect();
        if let Some(number) = asked.tab {
            let chosen = number.checked_sub(1).and_then(|at| own.get(at));
            seat.current = chosen.cloned().ok_or_else(|| refused("there is no such tab; see tabs"))?;
        }
        if !own.contains(&seat.current) {
            // The page closed itself.
            seat.current = match own.last() {
                Some(other) => other.clone(),
                None => self.link.new_tab(&seat.context).await?,
            };
        }
        Ok(seat.current.clone())
    }

    async fn make_room(&mut self) -> Result<(), CdpError> {
        let oldest = self.seats.iter().min_by_key(|(_, seat)| seat.used).map(|(name, _)| name.clone());
        match oldest.filter(|_| self.seats.len() >= MOST_SEATS).and_then(|name| self.seats.remove(&name)) {
            Some(oldest) => self.link.end_context(&oldest.context).await,
            None => Ok(()),
        }
    }

    async fn listed(&mut self, conversation: &str) -> Result<Done, CdpError> {
        let Some(seat) = self.seats.get(conversation) else { return Ok(Done::Said("No page is open.".to_owned())) };
        let infos = self.link.call("", "Target.getTargets", json!({})).await?;
        let infos = infos.get("targetInfos").and_then(|all| all.as_array()).cloned().unwrap_or_default();
        let mut lines = Vec::new();
        for (session, tab) in self.link.tabs.iter().filter(|(_, tab)| tab.context == seat.context) {
            let info = infos.iter().find(|info| text(info, "/targetId") == tab.target).cloned().unwrap_or_default();
            let here = if *session == seat.current { " (here)" } else { "" };
            let number = lines.len().saturating_add(1);
            lines.push(format!("{number}. {} {}{here}", text(&info, "/title"), text(&info, "/url")));
        }
        Ok(Done::Said(lines.join("\n")))
    }
}
