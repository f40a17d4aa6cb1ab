//! Whether a schedule of an agent's making may begin its turn: whoever had it made must be the owner now, not only then.

use chela_agent::Agent;
use chela_core::access::SenderRef;
use chela_core::gate::is_owner;
use chela_core::job;
use chela_core::queue::{Authority, Envelope, Task};
use chela_core::session::StoreError;
use chela_core::tool_policy::Who;
use chela_core::turn::COLLECTED;

use crate::live::Built;

/// Whoever had it made was removed from those who are listed or paired.
const NOT_THE_OWNER: &str = "whoever had it made is not the owner any more; the owner can have it made anew";

/// It was made before makers were noted, or by more people than are remembered.
const NOBODY: &str = "nobody knows who had it made; the owner can have it made anew";

/// Why the turn of this firing is not begun; `None` if it is. What it finds is noted with the schedule, and logged when it
/// is news. A turn that was begun goes on: half of it is done.
pub(crate) async fn held(
    built: &Built,
    agent: &Agent,
    envelope: &Envelope,
) -> Result<Option<&'static str>, StoreError> {
    let Task::Heartbeat { name, made_for: Some(made_for), .. } = &envelope.task else { return Ok(None) };
    if made_for.authority < Authority::Owner
        || agent.sessions.accepted(&envelope.session, &envelope.event).await?.is_some()
    {
        return Ok(None);
    }
    let limit = &made_for.limit;
    let mut why = (limit.unknown || limit.who.is_empty()).then_some(NOBODY);
    for who in &limit.who {
        if why.is_none() && !owns(built, agent, who).await? {
            why = Some(NOT_THE_OWNER);
        }
    }
    match job::hold(agent.files.as_ref(), &envelope.agent, name, why).await {
        Ok(true) => {
            tracing::warn!(agent = %envelope.agent, why = why.unwrap_or("it may again"), "a schedule is judged anew")
        }
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "whether a schedule fires could not be noted"),
    }
    Ok(why)
}

/// Whether these people are all owners at this moment. Who has the key of the API is.
async fn owns(built: &Built, agent: &Agent, who: &Who) -> Result<bool, StoreError> {
    if who.channel == COLLECTED {
        return Ok(true);
    }
    let Some(open) = built.account(&who.channel, &who.account) else { return Ok(false) };
    for sender in &who.senders {
        let someone = who.rooms.contains(sender);
        if someone || !(is_owner(&open.gate, &who.channel, sender) || paired(built, agent, who, sender).await?) {
            return Ok(false);
        }
    }
    Ok(!who.senders.is_empty())
}

/// Where the configuration does not name the owners, whoever was paired is one in a chat of their own.
async fn paired(built: &Built, agent: &Agent, who: &Who, sender: &str) -> Result<bool, StoreError> {
    if built.config.commands.owner_allow_from.is_some() || !who.rooms.is_empty() {
        return Ok(false);
    }
    let (channel, account) = (who.channel.clone(), who.account.clone());
    agent.access.approved(&SenderRef { channel, account, sender: sender.to_owned() }).await
}
