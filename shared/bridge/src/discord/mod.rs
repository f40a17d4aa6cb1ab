//! Discord's Gateway: what a bot hears, and nothing else. Answers go over REST, from the channel `discord` itself.
//!
//! `twilight-gateway` speaks the protocol (HELLO, HEARTBEAT, IDENTIFY, RESUME, close codes:
//! <https://discord.com/developers/docs/events/gateway>, op codes:
//! <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway>). The session and its last sequence
//! number are stored with each message, so that a bridge that was away resumes and Discord replays what it missed.

mod event;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::Clock;
use chela_core::secret::Secret;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use twilight_gateway::{Config, ConfigBuilder, Intents, Message, Session, Shard, ShardId};

use self::event::{Heard, Places};
use crate::backoff::Backoff;
use crate::connection::{Connection, Ended, stopped};
use crate::store::{Store, StoreError};

/// The name of the session in the store.
const STATE: &str = "discord";

/// Before the id of a thread in the store; the value is its channel.
const THREAD: &str = "discord-thread:";

/// What a bot is told.
#[derive(Clone, Debug)]
pub struct DiscordSettings {
    /// The bot's token.
    pub token: Secret,
    /// Whether messages have their text where we are not meant: a privileged intent, to be switched on in the portal.
    pub message_content: bool,
    /// Another Gateway than Discord's, for tests: `ws://…`.
    pub gateway: Option<String>,
}

/// What a session is resumed with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Resume {
    /// Session id and sequence number.
    session: Session,
    /// Where it is resumed.
    url: Option<String>,
    /// Our own user id, which only READY tells.
    me: String,
}

/// The connection of one bot.
pub struct Discord {
    config: Config,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

impl Discord {
    /// A connection that is not made yet. Must be called within a runtime.
    pub fn new(settings: &DiscordSettings, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        // GUILDS tells which rooms are threads.
        let mut intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::DIRECT_MESSAGES;
        intents.set(Intents::MESSAGE_CONTENT, settings.message_content);
        let mut builder = ConfigBuilder::new(settings.token.expose().trim().to_owned(), intents);
        if let Some(gateway) = &settings.gateway {
            builder = builder.proxy_url(gateway.clone());
        }
        Self { config: builder.build(), store, clock }
    }

    fn shard(&self, resume: Option<&Resume>) -> Shard {
        let mut builder = ConfigBuilder::from(self.config.clone());
        if let Some(resume) = resume {
            builder = builder.session(resume.session.clone());
            if let Some(url) = &resume.url {
                builder = builder.resume_url(url.clone());
            }
        }
        Shard::with_config(ShardId::ONE, builder.build())
    }

    /// Reads what the Gateway sends until it ends. The error is how.
    async fn listen(&self, shard: &mut Shard, me: &mut String, worked: &mut bool) -> Ended {
        let lost = |reason: &str, worked: bool| Ended::Lost { reason: reason.to_owned(), worked };
        loop {
            let text = match shard.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => {
                    return match frame.as_ref().and_then(|frame| fatal(frame.code)) {
                        Some(why) => Ended::Hopeless(why.to_owned()),
                        None => {
                            let code = frame.as_ref().map_or(0, |frame| frame.code);
                            lost(&format!("the Gateway closed with code {code}"), *worked)
                        }
                    };
                }
                // The error itself may quote an event.
                Some(Err(error)) => return lost(&format!("the Gateway failed: {:?}", error_kind(&error)), *worked),
                None => return lost("the Gateway closed", *worked),
            };
            let heard = match event::read(&text, me, &Threads(&self.store)) {
                Ok(heard) => heard,
                Err(why) => {
                    tracing::warn!(why, "an event of the Gateway cannot be read");
                    continue;
                }
            };
            if let Heard::Ready { me: own } = &heard {
                me.clone_from(own);
            }
            *worked |= matches!(heard, Heard::Ready { .. } | Heard::Resumed);
            match self.keep(&heard, shard, me) {
                Err(error) => {
                    tracing::error!(%error, "what was heard cannot be kept");
                    return lost("what was heard cannot be kept", *worked);
                }
                // Op codes 7 and 9. The loop that keeps the connection waits before the next one, as 9 wants it.
                Ok(()) if heard == Heard::Reconnect => return lost("the Gateway asks to connect anew", *worked),
                Ok(()) => {}
            }
        }
    }

    /// What was heard, and up to where, in one step: a message whose sequence number is stored is stored as well.
    fn keep(&self, heard: &Heard, shard: &Shard, me: &str) -> Result<(), StoreError> {
        let resume = shard.session().map(|session| Resume {
            session: session.clone(),
            url: shard.resume_url().map(str::to_owned),
            me: me.to_owned(),
        });
        let resume = resume.map(|resume| serde_json::to_string(&resume)).transpose()?;
        match heard {
            Heard::Message(message) => {
                let state = resume.as_deref().map(|resume| (STATE, resume));
                self.store.keep(std::slice::from_ref(message.as_ref()), state)
            }
            Heard::Threads(places) => self.remember_places(places),
            // An invalid session leaves none: the next connection begins a new one.
            Heard::Ready { .. } | Heard::Resumed | Heard::Reconnect => {
                self.store.remember(&[(STATE, resume.as_deref())])
            }
            Heard::Nothing => Ok(()),
        }
    }

    fn remember_places(&self, places: &[(String, Option<String>)]) -> Result<(), StoreError> {
        let named: Vec<(String, Option<&str>)> =
            places.iter().map(|(thread, parent)| (format!("{THREAD}{thread}"), parent.as_deref())).collect();
        let named: Vec<(&str, Option<&str>)> = named.iter().map(|(name, parent)| (name.as_str(), *parent)).collect();
        self.store.remember(&named)
    }
}

#[async_trait]
impl Connection for Discord {
    fn name(&self) -> String {
        "discord".to_owned()
    }

    async fn hold(&mut self, stopping: &mut watch::Receiver<bool>) -> Ended {
        let resume = match self.store.state(STATE) {
            Ok(state) => state.and_then(|state| serde_json::from_str::<Resume>(&state).ok()),
            Err(error) => return Ended::Lost { reason: error.to_string(), worked: false },
        };
        let mut shard = self.shard(resume.as_ref());
        let (mut me, mut worked) = (resume.map(|resume| resume.me).unwrap_or_default(), false);
        tracing::debug!(now = self.clock.now().0, resuming = !me.is_empty(), "connecting");
        let ended = tokio::select! {
            ended = self.listen(&mut shard, &mut me, &mut worked) => ended,
            () = stopped(stopping) => Ended::Stopped,
        };
        if ended == Ended::Stopped
            && let Err(error) = self.keep(&Heard::Resumed, &shard, &me)
        {
            tracing::error!(%error, "the session cannot be kept");
        }
        // The shard is dropped without a close frame: one with code 1000 or 1001 would end the session.
        ended
    }

    /// A day allows 1000 sessions: <https://discord.com/developers/docs/events/gateway#rate-limiting>.
    fn patience(&self) -> Backoff {
        Backoff { first: Duration::from_secs(2), most: Duration::from_secs(5 * 60) }
    }
}

struct Threads<'s>(&'s Store);

impl Places for Threads<'_> {
    fn parent(&self, channel: &str) -> Option<String> {
        self.0.state(&format!("{THREAD}{channel}")).ok().flatten()
    }
}

fn error_kind(error: &twilight_gateway::error::ReceiveMessageError) -> &'static str {
    use twilight_gateway::error::ReceiveMessageErrorType as Type;
    match error.kind() {
        Type::Reconnect => "it cannot be reached",
        Type::Deserializing { .. } => "it sent what is no event",
        _ => "the connection broke",
    }
}

/// Close codes after which nobody may reconnect:
/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>.
fn fatal(code: u16) -> Option<&'static str> {
    match code {
        4004 => Some("Discord does not accept the token: copy it again from the developer portal"),
        4010 | 4011 => Some("the bot is in so many guilds that it needs shards, which this bridge has not"),
        4012 => Some("Discord no longer speaks this version of the Gateway: update chela"),
        4013 => Some("Discord does not know these intents: update chela"),
        4014 => Some(
            "Discord does not allow the Message Content intent: switch it on in the developer portal (Bot, Privileged Gateway Intents), or use --without-message-content",
        ),
        _ => None,
    }
}
