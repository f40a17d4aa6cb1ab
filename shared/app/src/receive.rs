//! A platform's request: verify ▸ parse ▸ gate ▸ route ▸ enqueue ▸ acknowledge. No model call, no download.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chela_agent::{ChannelNotes, INCOMING, STORED};
use chela_config::QueueMode;
use chela_core::access::{AccessStore, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobError, BlobStore, Precondition};
use chela_core::channel::{Ack, Delivery, InlineFile, Parsed, RawRequest, Rejected, SendError};
use chela_core::channel_log::Happening;
use chela_core::clock::{Clock, Millis};
use chela_core::command::{Name, heard, is_command, own_chat};
use chela_core::directory::Directory;
use chela_core::gate::{Gate, GatePolicy, Ignored, authority, decide, decide_wished};
use chela_core::message::Inbound;
use chela_core::queue::{Authority, ENVELOPE_VERSION, Envelope, Lane, Queue, QueueError, Standing, Task};
use chela_core::route::{RouteError, RouteInput, resolve_route};
use chela_core::session::{Control, SessionStore, StoreError};
use chela_core::session_key::{SessionKey, thread_session_key};
use http::StatusCode;

use crate::broadcast::{Answering, answering, members};
use crate::live::{Built, Live, OpenAccount};
use crate::metrics::{Count, Metrics};
use crate::usage::each_pays;
use crate::wished::{Wished, queue_mode};

/// Largest body that is read at all, in bytes: what a Function URL takes. The configuration sets a lower limit.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_BODY: usize = 6 * 1024 * 1024;

/// Senders whose rate is remembered; the memory is emptied when it is full.
const RATES_REMEMBERED: usize = 10_000;

/// Whom a webhook's URL means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The account; `default` where none is named.
    pub account: &'a str,
    /// What follows, see [`RawRequest::path`].
    pub path: &'a str,
}

/// Reads `<channel>[/<account>[/…]]`: what follows `/webhook/` in a URL's path.
pub fn destination(target: &str) -> Destination<'_> {
    let (channel, rest) = target.split_once('/').unwrap_or((target, ""));
    let (account, path) = rest.split_once('/').unwrap_or((rest, ""));
    let account = if account.is_empty() { "default" } else { account };
    Destination { channel, account, path: path.trim_matches('/') }
}

/// Receives what platforms send.
pub struct Receiver {
    ports: Ports,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    rates: Mutex<HashMap<String, (u64, u32)>>,
    wished: Wished,
}

/// What a [`Receiver`] works through.
pub struct Ports {
    /// Where turns begin.
    pub queue: Arc<dyn Queue>,
    /// Where control marks are left.
    pub sessions: Arc<dyn SessionStore>,
    /// What was wished for conversations.
    pub directory: Arc<dyn Directory>,
    /// Who was paired.
    pub access: Arc<dyn AccessStore>,
    /// What happened on accounts.
    pub channels: Arc<ChannelNotes>,
    /// Files that come with messages.
    pub files: Arc<dyn BlobStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why a message was not let in.
enum Kept {
    /// It is acknowledged and forgotten.
    Ignored(String),
    /// The whole request is answered with this status.
    Out(StatusCode, String),
}

/// What a request led to, for the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Messages queued.
    pub accepted: u32,
    /// Why messages were kept out.
    pub ignored: Vec<String>,
    /// Why the request was turned away.
    pub rejected: Option<String>,
}

impl Receiver {
    /// A receiver with an empty memory of rates.
    pub fn new(ports: Ports, live: Arc<Live>, metrics: Arc<Metrics>) -> Self {
        Self { ports, live, metrics, rates: Mutex::default(), wished: Wished::default() }
    }

    /// Answers one request of a platform. 2xx means that everything in it is queued or was rightly ignored; receiving
    /// the same request again queues nothing twice.
    pub async fn receive(&self, channel: &str, account: &str, request: RawRequest) -> (Ack, Received) {
        let built = self.live.current().await;
        let limit = built.config.gateway.limits.body_bytes as usize;
        if request.body.len() > limit {
            return turned_away(StatusCode::PAYLOAD_TOO_LARGE, format!("body over {limit} bytes"));
        }
        let Some(open) = built.account(channel, account) else {
            return turned_away(StatusCode::NOT_FOUND, format!("channel {channel}/{account} is not configured"));
        };
        if !request.path.is_empty() && !open.channel.has_paths() {
            return turned_away(StatusCode::NOT_FOUND, format!("channel {channel}/{account} has no paths of its own"));
        }
        let parsed = match self.read(open, request).await {
            Ok(parsed) => parsed,
            Err(answer) => return answer,
        };
        if let Err(error) = self.settle(channel, account, &parsed.deliveries).await {
            return turned_away(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        }
        let mut received = Received::default();
        let spoken = !parsed.messages.is_empty();
        for inbound in parsed.messages {
            match self.let_in(&built, open, inbound, &parsed.files).await {
                Ok(()) => {
                    self.metrics.add(Count::Accepted, 1);
                    received.accepted = received.accepted.saturating_add(1);
                }
                // Posted again as a whole, a request with so many would be over the rate for ever.
                Err(Kept::Out(StatusCode::TOO_MANY_REQUESTS, reason)) if received.accepted > 0 => {
                    self.metrics.add(Count::Ignored, 1);
                    received.ignored.push(reason);
                }
                Err(Kept::Out(status, reason)) => return turned_away(status, reason),
                Err(Kept::Ignored(reason)) => {
                    self.metrics.add(Count::Ignored, 1);
                    received.ignored.push(reason);
                }
            }
        }
        if received.accepted > 0 {
            self.ports.channels.note(channel, account, Happening::Received, self.ports.clock.now()).await;
        }
        match parsed.ack_if_ignored {
            Some(ack) if spoken && received.accepted == 0 => (ack, received),
            _ => (parsed.ack, received),
        }
    }

    /// Proves the request, does what it asks for before it can be read, and reads it.
    async fn read(&self, open: &OpenAccount, request: RawRequest) -> Result<Parsed, (Ack, Received)> {
        // What the platform must do again: without its keys nothing can be proven.
        let again = |error: SendError| turned_away(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        open.channel.fetch_keys(&request).await.map_err(again)?;
        let verified = open.channel.verify(request).map_err(|rejected| self.reject(rejected))?;
        open.channel.attend(&verified).await.map_err(again)?;
        open.channel.parse(&verified).map_err(|rejected| self.reject(rejected))
    }

    /// Routes, judges, stores the files of and queues one message: once for each agent that answers it. If one of them
    /// cannot be queued the platform sends the message again, and those that are queued know it.
    async fn let_in(
        &self,
        built: &Built,
        open: &OpenAccount,
        inbound: Inbound,
        files: &[InlineFile],
    ) -> Result<(), Kept> {
        let routed = route(built, &inbound).map_err(|error| Kept::Ignored(error.to_string()))?;
        let gate = gate_of(built, open, &members(built, &inbound, &routed.agent));
        if let Gate::Ignore(reason) = decide(&gate, &inbound)
            && reason != Ignored::NotMentioned
        {
            return Err(Kept::Ignored(reason.to_string()));
        }
        let wishes = self.wished.of(self.ports.directory.as_ref(), &routed.session, self.ports.clock.now()).await;
        let standing = match decide_wished(&gate, &inbound, wishes.answer_all) {
            Gate::Allow(standing) => standing,
            Gate::Ignore(reason) => return Err(Kept::Ignored(reason.to_string())),
        };
        if !self.within_rate(&inbound, built.config.gateway.limits.messages_per_minute) {
            return Err(Kept::Out(StatusCode::TOO_MANY_REQUESTS, "one sender sends too much".to_owned()));
        }
        let not_queued = |status: StatusCode, reason: String| {
            self.metrics.add(Count::NotQueued, 1);
            Kept::Out(status, reason)
        };
        let mut inbound = self
            .keep(inbound, files)
            .await
            .map_err(|error| not_queued(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
        let mode = queue_mode(&wishes, &built.config.messages.queue, &inbound.channel);
        let authority = authority(&gate, &inbound);
        let all = answering(built, &inbound, &routed);
        inbound.text = routed.text;
        for Answering { agent, session, event } in all {
            let now = self.ports.clock.now();
            let envelope = Envelope { event, ..envelope(agent, session, inbound.clone(), standing, authority, now) };
            self.enqueue(built, envelope, mode).await.map_err(|error| {
                let status = match error {
                    QueueError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                    QueueError::Expired | QueueError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                };
                not_queued(status, error.to_string())
            })?;
        }
        Ok(())
    }

    /// What the platform tells about parts that were sent. A lost confirmation would leave a flag for ever, so that the
    /// platform is asked to tell again.
    async fn settle(&self, channel: &str, account: &str, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let Ports { channels, clock, .. } = &self.ports;
        for Delivery { idempotency_key, failed } in deliveries {
            match failed {
                None => channels.log().confirm(idempotency_key, clock.now()).await?,
                Some(reason) => {
                    self.metrics.add(Count::Undelivered, 1);
                    tracing::warn!(channel, account, reason, "the platform could not deliver a part it took");
                    channels.note(channel, account, Happening::Failed(reason.clone()), clock.now()).await;
                }
            }
        }
        Ok(())
    }

    /// Stores the files that came with a message, under names that tell nothing. The same again replaces the same.
    async fn keep(&self, mut inbound: Inbound, files: &[InlineFile]) -> Result<Inbound, BlobError> {
        let event = inbound.event_key();
        for (number, media) in inbound.media.iter_mut().enumerate() {
            let Some(file) = files.iter().find(|file| file.reference == media.reference) else {
                // Only what is kept here lies in our store: whoever wrote the message does not name other files of it.
                if media.reference.starts_with(STORED) {
                    media.reference.clear();
                }
                continue;
            };
            let key = format!("{INCOMING}/{}/{}-{number}", inbound.channel, event.as_str());
            self.ports.files.put(&key, file.bytes.clone(), Precondition::None).await?;
            media.size = Some(file.bytes.len() as u64);
            media.reference = format!("{STORED}{key}");
        }
        Ok(inbound)
    }

    /// Queues one message that passed the gate.
    async fn enqueue(&self, built: &Built, envelope: Envelope, mode: QueueMode) -> Result<(), QueueError> {
        let Task::Message { inbound, standing, authority } = &envelope.task else { return Ok(()) };
        let spoken = heard(inbound, built.config.commands.text);
        let command = spoken.is_some() && is_command(&inbound.text);
        let stops = spoken.is_some_and(|spoken| spoken.spec.name == Name::Stop);
        if (stops || (mode == QueueMode::Interrupt && !command)) && self.may_end_turn(built, &envelope).await {
            let control = Control { stop_before: envelope.accepted_at };
            // Without the mark the running turn merely goes on to its end.
            let _ = self.ports.sessions.set_control(&envelope.session, &control).await;
        }
        chela_failpoint::reached("queueing.before");
        self.ports.queue.push(Lane::Live, &envelope).await?;
        chela_failpoint::reached("queueing.after");
        // A file is fetched when a turn begins, not in its middle; a command has a turn of its own.
        let plain = spoken.is_none() && inbound.media.is_empty();
        // Nor at the cost of whoever the running turn is for.
        let pays = !each_pays(&built.config) || *authority == Authority::Owner || own_chat(inbound, &envelope.session);
        if mode == QueueMode::Steer && plain && pays && *standing == Standing::Allowed {
            // Without it the message has a turn of its own.
            let _ = self.ports.sessions.leave(&envelope).await;
        }
        Ok(())
    }

    /// Whether a message may end the running turn of its conversation: no stranger's may, and a guest's `/stop` only in a
    /// chat of their own.
    async fn may_end_turn(&self, built: &Built, envelope: &Envelope) -> bool {
        let Task::Message { inbound, standing, authority } = &envelope.task else { return false };
        let mut authority = *authority;
        if *standing == Standing::IfPaired {
            let (channel, account) = (inbound.channel.clone(), inbound.account.clone());
            let who = SenderRef { channel, account, sender: inbound.sender.id.clone() };
            if !matches!(self.ports.access.approved(&who).await, Ok(true)) {
                return false;
            }
            if built.config.commands.owner_allow_from.is_none() {
                authority = Authority::Owner;
            }
        }
        let own_chat = own_chat(inbound, &envelope.session);
        heard(inbound, built.config.commands.text).is_none_or(|spoken| spoken.spec.allows(authority, own_chat))
    }

    fn reject(&self, rejected: Rejected) -> (Ack, Received) {
        let (status, count) = match rejected {
            Rejected::Unproven(_) => (StatusCode::UNAUTHORIZED, Some(Count::Unproven)),
            Rejected::Malformed(_) => (StatusCode::BAD_REQUEST, Some(Count::Malformed)),
            Rejected::Method => (StatusCode::METHOD_NOT_ALLOWED, None),
        };
        if let Some(count) = count {
            self.metrics.add(count, 1);
        }
        turned_away(status, rejected.to_string())
    }

    /// A flood of one sender costs neither turns nor anybody else's place in the queue: beyond `most` a minute the
    /// platform is asked to come back later.
    fn within_rate(&self, inbound: &Inbound, most: u32) -> bool {
        if most == 0 {
            return true;
        }
        let minute = self.ports.clock.now().0 / 60_000;
        let sender = format!("{}/{}/{}", inbound.channel, inbound.account, inbound.sender.id);
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= RATES_REMEMBERED {
            rates.clear();
        }
        let (since, sent) = rates.entry(sender).or_insert((minute, 0));
        if *since != minute {
            (*since, *sent) = (minute, 0);
        }
        *sent = sent.saturating_add(1);
        *sent <= most
    }
}

/// What waits in the queue.
pub(crate) fn envelope(
    agent: AgentId,
    session: SessionKey,
    inbound: Inbound,
    standing: Standing,
    authority: Authority,
    now: Millis,
) -> Envelope {
    Envelope {
        version: ENVELOPE_VERSION,
        event: inbound.event_key(),
        session,
        agent,
        accepted_at: now,
        task: Task::Message { inbound: Box::new(inbound), standing, authority },
    }
}

/// Who answers, and in which conversation; no client ever supplies either.
pub(crate) struct Routed {
    pub(crate) agent: AgentId,
    pub(crate) session: SessionKey,
    /// What the agent reads: the text without what was for routing alone.
    pub(crate) text: String,
}

pub(crate) fn route(built: &Built, inbound: &Inbound) -> Result<Routed, RouteError> {
    let input = RouteInput {
        channel: Some(inbound.channel.clone()),
        account_id: Some(inbound.account.clone()),
        peer: Some(inbound.peer.clone()),
        parent_peer: inbound.parent_peer.clone(),
        guild_id: inbound.guild.clone(),
        team_id: inbound.team.clone(),
        member_role_ids: (!inbound.roles.is_empty()).then(|| inbound.roles.clone()),
        text: Some(inbound.text.clone()),
        ..Default::default()
    };
    let route = resolve_route(&built.routing, &input)?;
    let text = route.text_of(&inbound.text).to_owned();
    let session = match &inbound.thread {
        Some(thread) => thread_session_key(&route.session_key, thread),
        None => route.session_key,
    };
    Ok(Routed { agent: route.agent_id, session, text })
}

/// The account's gate, and what addresses these agents in rooms.
fn gate_of(built: &Built, open: &OpenAccount, agents: &[AgentId]) -> GatePolicy {
    let mut gate = open.gate.clone();
    for agent in agents {
        gate.mention_patterns.extend_from_slice(built.config.mention_patterns(agent.as_str()));
    }
    gate
}

/// The reason stays here, for the log: the sender learns the status only.
fn turned_away(status: StatusCode, reason: String) -> (Ack, Received) {
    let ack = Ack { status, content_type: "text/plain", body: Bytes::new() };
    (ack, Received { rejected: Some(reason), ..Received::default() })
}
