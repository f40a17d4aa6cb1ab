//! The designs that are compared.

/// How a turn is made safe against faults, or is not.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    /// Load, ask, run the tool, ask, send; save everything at the end.
    SaveAtTheEnd,
    /// Every entry is appended when it is there; a redelivered message starts from the top.
    AppendAsYouGo,
    /// As before, inside "in progress, completed" around the whole handler, as Powertools for AWS Lambda does it:
    /// <https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/>
    HandlerIdempotency,
    /// Each operation is recorded, and a redelivered message goes on where the record ends.
    Journaled(Protections),
}

/// What protects a journaled turn, and what its surroundings allow.
#[derive(Clone, Copy, Debug)]
pub struct Protections {
    /// A claim waits until the lease of another attempt is over.
    pub lease: bool,
    /// A write of an attempt that is not the latest to have claimed is refused.
    pub fence: bool,
    /// A write that announces or gives up an effect also needs the lease to be still held.
    pub lease_recheck: bool,
    /// A tool's run is announced before it starts, so that a second attempt does not repeat it.
    pub tool_journal: bool,
    /// A send is announced before it starts, so that a second attempt does not repeat it.
    pub outbox_intent: bool,
    /// Assumption A1: an external call never outlives the lease, because its deadline is earlier.
    pub bounded_calls: bool,
    /// The platform drops a second reply with the same key, or the reply is an edit of a placeholder.
    pub idempotent_send: bool,
    /// Tools drop a second run with the same key.
    pub idempotent_tools: bool,
    /// A send of unknown outcome is repeated instead of flagged.
    pub resend_unknown: bool,
}

/// How often each fault may strike in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Attempts that die.
    pub crashes: u8,
    /// Visibility timeouts that run out while the attempt still works on the message.
    pub visibility_expiries: u8,
    /// Messages the platform posts again after the queue has forgotten them.
    pub duplicates: u8,
    /// Leases that run out while their owner still runs.
    pub lease_expiries: u8,
}

/// A protocol and the faults it is explored with.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    /// Its name in reports.
    pub name: &'static str,
    /// What it does.
    pub protocol: Protocol,
    /// What is done to it.
    pub faults: Faults,
}

impl Design {
    /// The protections of a journaled turn.
    pub(crate) fn protections(&self) -> Option<&Protections> {
        match &self.protocol {
            Protocol::Journaled(protections) => Some(protections),
            Protocol::SaveAtTheEnd | Protocol::AppendAsYouGo | Protocol::HandlerIdempotency => None,
        }
    }
}

const PROPOSED: Protections = Protections {
    lease: true,
    fence: true,
    lease_recheck: true,
    tool_journal: true,
    outbox_intent: true,
    bounded_calls: true,
    idempotent_send: false,
    idempotent_tools: false,
    resend_unknown: false,
};
const BOTH_IDEMPOTENT: Protections = Protections { idempotent_send: true, idempotent_tools: true, ..PROPOSED };

/// The most that was affordable for the design that is used.
const MANY_FAULTS: Faults = Faults { crashes: 2, visibility_expiries: 1, duplicates: 1, lease_expiries: 2 };
/// Enough to break what can be broken.
const FEWER_CRASHES: Faults = Faults { crashes: 1, ..MANY_FAULTS };
/// For designs whose states multiply because nothing stops an old attempt.
const FEW_FAULTS: Faults = Faults { crashes: 1, visibility_expiries: 1, duplicates: 0, lease_expiries: 1 };

const fn journaled(name: &'static str, protections: Protections, faults: Faults) -> Design {
    Design { name, protocol: Protocol::Journaled(protections), faults }
}

// The published table does not say with which faults its first two rows were explored. Of one or two crashes, one or two
// visibility expiries and no or one duplicate, these alone give its numbers.

/// Load, ask, tool, ask, send, save, acknowledge.
pub const SAVE_AT_THE_END: Design =
    Design { name: "D0 save at the end", protocol: Protocol::SaveAtTheEnd, faults: FEWER_CRASHES };
/// Append as you go, restart on redelivery.
pub const APPEND_AS_YOU_GO: Design =
    Design { name: "D1 append as you go", protocol: Protocol::AppendAsYouGo, faults: FEW_FAULTS };
/// Idempotency around the whole handler.
pub const HANDLER_IDEMPOTENCY: Design =
    Design { name: "D2 handler idempotency", protocol: Protocol::HandlerIdempotency, faults: FEW_FAULTS };
/// The design of this house, on a platform without send keys, flagging what it cannot know.
pub const PROPOSED_DESIGN: Design = journaled("D3 proposed", PROPOSED, MANY_FAULTS);
/// The same where sends have keys.
pub const IDEMPOTENT_SEND: Design =
    journaled("D3 with idempotent send", Protections { idempotent_send: true, ..PROPOSED }, MANY_FAULTS);
/// The same where sends and tools have keys.
pub const IDEMPOTENT_BOTH: Design = journaled("D3 with idempotent send and tools", BOTH_IDEMPOTENT, MANY_FAULTS);
/// Mutant: an intent needs the epoch only.
pub const WITHOUT_LEASE_RECHECK: Design =
    journaled("D3 without lease re-check", Protections { lease_recheck: false, ..PROPOSED }, MANY_FAULTS);
/// Mutant: old attempts may write. The lease re-check would be a fence of its own around intents, so it goes too.
pub const WITHOUT_FENCE: Design =
    journaled("D3 without fence", Protections { fence: false, lease_recheck: false, ..PROPOSED }, FEW_FAULTS);
/// Mutant: tools run unannounced.
pub const WITHOUT_JOURNAL: Design =
    journaled("D3 without tool journal", Protections { tool_journal: false, ..PROPOSED }, FEWER_CRASHES);
/// Mutant: replies are sent unannounced.
pub const WITHOUT_OUTBOX_INTENT: Design =
    journaled("D3 without outbox intent", Protections { outbox_intent: false, ..PROPOSED }, FEWER_CRASHES);
/// The other policy for a send of unknown outcome.
pub const RESEND_UNKNOWN: Design =
    journaled("D3 resending the unknown", Protections { resend_unknown: true, ..PROPOSED }, FEWER_CRASHES);
/// Mutant: claims do not wait, and the lease is not re-checked either.
pub const WITHOUT_LEASE: Design =
    journaled("D3 without lease", Protections { lease: false, lease_recheck: false, ..PROPOSED }, FEWER_CRASHES);
/// Where sends and tools have keys, and claims do not wait.
pub const IDEMPOTENT_BOTH_WITHOUT_LEASE: Design = journaled(
    "D3 with idempotent send and tools, without lease",
    Protections { lease: false, lease_recheck: false, ..BOTH_IDEMPOTENT },
    FEWER_CRASHES,
);
/// An external call may outlive the lease.
pub const WITHOUT_BOUNDED_CALLS: Design =
    journaled("D3 without A1", Protections { bounded_calls: false, ..PROPOSED }, FEWER_CRASHES);
/// Where sends and tools have keys, and an external call may outlive the lease.
pub const IDEMPOTENT_BOTH_WITHOUT_BOUNDED_CALLS: Design = journaled(
    "D3 with idempotent send and tools, without A1",
    Protections { bounded_calls: false, ..BOTH_IDEMPOTENT },
    FEWER_CRASHES,
);

/// Mutant beside the table: only the fence is missing, the lease re-check stands.
pub const WITHOUT_FENCE_ALONE: Design =
    journaled("D3 without fence, with lease re-check", Protections { fence: false, ..PROPOSED }, FEW_FAULTS);
/// Mutant beside the table: only the waiting is missing, the lease re-check stands.
pub const WITHOUT_LEASE_ALONE: Design =
    journaled("D3 without lease, with lease re-check", Protections { lease: false, ..PROPOSED }, FEW_FAULTS);

/// The rows of the results table, in the order of reports.
pub const DESIGNS: [Design; 15] = [
    SAVE_AT_THE_END,
    APPEND_AS_YOU_GO,
    HANDLER_IDEMPOTENCY,
    PROPOSED_DESIGN,
    IDEMPOTENT_SEND,
    IDEMPOTENT_BOTH,
    WITHOUT_LEASE_RECHECK,
    WITHOUT_FENCE,
    WITHOUT_JOURNAL,
    WITHOUT_OUTBOX_INTENT,
    RESEND_UNKNOWN,
    WITHOUT_LEASE,
    IDEMPOTENT_BOTH_WITHOUT_LEASE,
    WITHOUT_BOUNDED_CALLS,
    IDEMPOTENT_BOTH_WITHOUT_BOUNDED_CALLS,
];
