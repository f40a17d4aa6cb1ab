//! Comments, and the bodies of issues, pull requests and reviews.
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads>

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ID;
use crate::attachment::attachments;
use crate::mention;
use crate::place::Target;
use crate::rest::is_repo;
use crate::settings::{Settings, is_login};

/// The header with the kind of event. It is not signed, but no two kinds can be read from one body: each has its own
/// fields and actions.
pub(crate) const EVENT: &str = "x-github-event";

/// Most lines of a diff that go with a comment on it.
const DIFF_LINES: usize = 12;

#[derive(Deserialize)]
struct Event {
    action: Option<String>,
    repository: Option<Repository>,
    sender: Option<Account>,
    issue: Option<Post>,
    pull_request: Option<Post>,
    comment: Option<Post>,
    review: Option<Post>,
    changes: Option<Changes>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
    full_name: String,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Changes {
    body: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct App {
    id: u64,
}

/// Whatever somebody wrote.
#[derive(Deserialize)]
struct Post {
    id: u64,
    number: Option<u64>,
    title: Option<String>,
    body: Option<String>,
    user: Option<Account>,
    author_association: Option<String>,
    created_at: Option<String>,
    submitted_at: Option<String>,
    updated_at: Option<String>,
    in_reply_to_id: Option<u64>,
    path: Option<String>,
    line: Option<u64>,
    diff_hunk: Option<String>,
    performed_via_github_app: Option<App>,
}

/// What an event is about.
struct Said<'a> {
    post: &'a Post,
    /// Begins the event's id.
    kind: &'static str,
    number: u64,
    /// The thread of a review.
    thread: Option<u64>,
    /// What a reaction can be put under.
    target: Option<Target>,
    edited: bool,
}

/// Reads a delivery. Events and actions of other kinds are acknowledged.
pub(crate) fn parse(account: &str, settings: &Settings, request: &RawRequest) -> Result<Parsed, Rejected> {
    let event = request.headers.get(EVENT).and_then(|value| value.to_str().ok());
    let event = event.ok_or(Rejected::Malformed("the kind of event is missing"))?;
    let malformed = "the body is no JSON of GitHub; choose the content type application/json for the webhook";
    let known: Event = match event {
        "issue_comment" | "issues" | "pull_request" | "pull_request_review" | "pull_request_review_comment" => {
            serde_json::from_slice(&request.body).map_err(|_| Rejected::Malformed(malformed))?
        }
        // The handshake is one of them: it wants nothing but a good status.
        _ => {
            let any: Result<std::collections::HashMap<String, IgnoredAny>, _> = serde_json::from_slice(&request.body);
            return any.map(|_| Parsed::nothing()).map_err(|_| Rejected::Malformed(malformed));
        }
    };
    let Some(said) = said(event, &known)? else { return Ok(Parsed::nothing()) };
    let messages = inbound(account, settings, &known, &said, request.received_at)?;
    Ok(Parsed::said(messages.into_iter().collect(), Ack::empty()))
}

fn said<'e>(event: &str, known: &'e Event) -> Result<Option<Said<'e>>, Rejected> {
    const LACKS: Rejected = Rejected::Malformed("the event lacks what it is about");
    let action = known.action.as_deref().unwrap_or_default();
    let edited = action == "edited";
    let new = match event {
        "issues" | "pull_request" => "opened",
        "pull_request_review" => "submitted",
        _ => "created",
    };
    if action != new && !edited {
        return Ok(None);
    }
    // A title can be edited too, and a review be dismissed.
    if edited && known.changes.as_ref().is_none_or(|changes| changes.body.is_none()) {
        return Ok(None);
    }
    let place = if event == "issue_comment" || event == "issues" { &known.issue } else { &known.pull_request };
    let place = place.as_ref().ok_or(LACKS)?;
    let number = place.number.ok_or(LACKS)?;
    let (post, kind, thread, target) = match event {
        "issue_comment" => {
            let post = known.comment.as_ref().ok_or(LACKS)?;
            (post, "comment", None, Some(Target::Comment(post.id)))
        }
        "pull_request_review_comment" => {
            let post = known.comment.as_ref().ok_or(LACKS)?;
            let root = post.in_reply_to_id.unwrap_or(post.id);
            (post, "review-comment", Some(root), Some(Target::ReviewComment(post.id)))
        }
        // Reviews have no reactions in this API.
        "pull_request_review" => (known.review.as_ref().ok_or(LACKS)?, "review", None, None),
        "issues" => (place, "issue", None, Some(Target::Issue)),
        _ => (place, "pull", None, Some(Target::Issue)),
    };
    Ok(Some(Said { post, kind, number, thread, target, edited }))
}

fn inbound(
    account: &str,
    settings: &Settings,
    event: &Event,
    said: &Said<'_>,
    now: Millis,
) -> Result<Option<Inbound>, Rejected> {
    let Said { post, number, .. } = said;
    let repository = event.repository.as_ref().ok_or(Rejected::Malformed("the event is of no repository"))?;
    let fits = repository.full_name.split_once('/').is_some_and(|(owner, name)| is_login(owner) && is_repo(name));
    if !fits {
        return Err(Rejected::Malformed("the repository has no name"));
    }
    let Some(author) = author(settings, event, post) else { return Ok(None) };
    if !settings.repos.contain(repository.id, &repository.full_name)
        || !settings.hears(post.author_association.as_deref().unwrap_or_default())
    {
        return Ok(None);
    }
    let body = post.body.as_deref().unwrap_or_default();
    if body.trim().is_empty() {
        return Ok(None);
    }
    let read = mention::read(body, &settings.bot_login);
    let written = post.submitted_at.as_deref().or(post.created_at.as_deref());
    let changed = post.updated_at.as_deref().or(written).filter(|_| said.edited);
    let id = format!("{}:{}", said.kind, post.id);
    let message_id = said.target.map(|target| target.to_string());
    let peer = |id: String| Peer::new(PeerKind::Group, id);
    Ok(Some(Inbound {
        channel: ID.to_owned(),
        account: account.to_owned(),
        // Not the delivery's id, which is not signed: what was recorded could be posted again under another one.
        event_id: changed.map_or_else(|| id.clone(), |at| format!("{id}:edited:{at}")),
        peer: peer(format!("{}#{number}", repository.id)),
        parent_peer: Some(peer(repository.id.to_string())),
        thread: said.thread.map(|root| root.to_string()),
        sender: Sender { id: author.id.to_string(), name: Some(author.login.clone()) },
        message_id: message_id.clone(),
        text: with_context(read.text, post),
        kind: if said.edited { InboundKind::Edited } else { InboundKind::Message },
        addressed: read.to_us,
        media: attachments(body, settings).map(Media::from).collect(),
        guild: None,
        team: None,
        roles: Vec::new(),
        sent_at: changed.or(written).and_then(millis).unwrap_or(now),
        reply_to: ReplyAddress {
            channel: ID.to_owned(),
            account: account.to_owned(),
            to: format!("{}#{number}", repository.full_name),
            thread: said.thread.map(|root| root.to_string()),
            message: message_id,
        },
    }))
}

/// Who wrote it, unless it was a bot, we ourselves, or somebody else who changed it: what a maintainer writes into
/// another's comment are not the author's words, nor are the author's words the maintainer's.
fn author<'e>(settings: &Settings, event: &Event, post: &'e Post) -> Option<&'e Account> {
    let author = post.user.as_ref()?;
    let sender = event.sender.as_ref()?;
    let is_bot = |account: &Account| account.kind.as_deref() != Some("User") || settings.is_us(&account.login);
    let by_us = post
        .performed_via_github_app
        .as_ref()
        .is_some_and(|app| settings.app_id.as_ref().is_some_and(|own| *own == app.id.to_string()));
    (author.id == sender.id && !is_bot(author) && !is_bot(sender) && !by_us).then_some(author)
}

/// The text with what the author saw beside it: the title of an issue, the lines that a review speaks of. A command stays
/// as it is.
fn with_context(text: String, post: &Post) -> String {
    if text.starts_with('/') {
        return text;
    }
    let mut parts: Vec<String> = Vec::new();
    parts.extend(post.title.as_ref().map(|title| format!("# {title}")));
    parts.push(text);
    if let (Some(path), Some(diff)) = (&post.path, &post.diff_hunk) {
        let lines: Vec<&str> = diff.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(DIFF_LINES)..).unwrap_or_default().join("\n");
        let line = post.line.map_or_else(String::new, |line| format!(", line {line}"));
        parts.push(format!("[{path}{line}]\n```diff\n{shown}\n```"));
    }
    parts.join("\n\n").trim().to_owned()
}

fn millis(text: &str) -> Option<Millis> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().filter(|at| *at > 0).map(Millis)
}
