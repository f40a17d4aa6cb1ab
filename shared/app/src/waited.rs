//! Messages that waited. The webhook judged them by the configuration of that moment, and a queue may keep them for days:
//! whoever was removed since then is not answered, and whoever owned the house then need not own it now.

use std::borrow::Cow;

use chela_core::gate::{Gate, Ignored, authority, decide};
use chela_core::queue::{Envelope, Standing, Task};
use chela_core::session::{SessionStore, StoreError};
use chela_core::turn::COLLECTED;

use crate::live::Built;

/// The message as it would be let in now, which is never with more authority than it had; `None` if it would not be. A
/// turn that was begun goes on: half of it is done.
pub(crate) async fn judged_anew<'e>(
    built: &Built,
    sessions: &dyn SessionStore,
    envelope: &'e Envelope,
) -> Result<Option<Cow<'e, Envelope>>, StoreError> {
    let now = judged(built, envelope);
    if now.as_deref() == Some(envelope) || is_begun(sessions, envelope).await? {
        return Ok(Some(Cow::Borrowed(envelope)));
    }
    Ok(now)
}

/// Whether there is a turn of it, also under its second name. An event that was put aside has none yet.
async fn is_begun(sessions: &dyn SessionStore, envelope: &Envelope) -> Result<bool, StoreError> {
    for event in [&envelope.event, &envelope.event.again()] {
        if sessions.accepted(&envelope.session, event).await?.is_some_and(|accepted| accepted.turn > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing has changed for whoever wrote this.
pub(crate) fn is_as_it_was(built: &Built, envelope: &Envelope) -> bool {
    judged(built, envelope).as_deref() == Some(envelope)
}

fn judged<'e>(built: &Built, envelope: &'e Envelope) -> Option<Cow<'e, Envelope>> {
    let Task::Message { inbound, standing, authority: then } = &envelope.task else {
        return Some(Cow::Borrowed(envelope));
    };
    // Who has the key of the API is the owner.
    if inbound.channel == COLLECTED {
        return Some(Cow::Borrowed(envelope));
    }
    // The configuration, and not what could be opened of it: a secret that cannot be had now removes nobody.
    let gate = built.config.account(&inbound.channel, &inbound.account)?.gate;
    let standing_now = match decide(&gate, inbound) {
        Gate::Allow(standing) => standing,
        // Whom it addressed was seen when it came; the words that say so may be gone from its text.
        Gate::Ignore(Ignored::NotMentioned) => Standing::Allowed,
        Gate::Ignore(_) => return None,
    };
    let authority_now = authority(&gate, inbound).min(*then);
    if (*standing, *then) == (standing_now, authority_now) {
        return Some(Cow::Borrowed(envelope));
    }
    let task = Task::Message { inbound: inbound.clone(), standing: standing_now, authority: authority_now };
    Some(Cow::Owned(Envelope { task, ..envelope.clone() }))
}
