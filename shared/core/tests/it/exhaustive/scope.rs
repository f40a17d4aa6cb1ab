//! What is explored: a small cast, one script for the model, and how often each thing may go wrong.

/// How often each fault may still happen. A fault may strike at every point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Left {
    /// A function dies with all it was doing.
    pub crashes: u8,
    /// A message is shown again while its attempt still runs.
    pub reshown: u8,
    /// The lease of a living attempt runs out.
    pub leases: u8,
    /// A platform posts an event again, outside the queue's own window.
    pub repeats: u8,
    /// The store does not answer, whether it wrote or not.
    pub throttles: u8,
    /// A platform does not confirm a part, does not take it, or refuses it.
    pub sends: u8,
    /// The model does not answer.
    pub silences: u8,
    /// The answer is shown while it grows.
    pub drafts: u8,
    /// A block of the answer is sent while it grows.
    pub blocks: u8,
    /// The lease is renewed while the model is asked.
    pub ticks: u8,
    /// The owner says stop.
    pub stops: u8,
}

/// A first-in-first-out line of messages: one session in one lane.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub session: usize,
    /// There from the beginning.
    pub events: &'static [u8],
    /// Come one after the other, at any time.
    pub later: &'static [u8],
}

/// What was stored before the story begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    Nothing,
    /// A finished turn whose tool result was never stored.
    Unrepaired,
    /// The first event was answered so long ago that the head has forgotten it.
    LongAgo,
    /// The first event's turn has broken off as often as it may.
    Hopeless,
}

/// One protection taken away, or one promise of the world broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mutant {
    /// A save does not look whose session it is.
    FenceOff,
    /// A save does not look how far the lease reaches.
    LeaseCheckOff,
    /// A claim does not wait for another's lease.
    LeaseOff,
    /// Marks of tools and their journal are not kept.
    ToolJournalOff,
    /// Marks of parts are not kept.
    OutboxMarkOff,
    /// The messages that parts take the place of are not kept.
    PlaceholdersForgotten,
    /// The last writer of an entry wins.
    LastWriterWins,
    /// Accepted events are not kept.
    RowsForgotten,
    /// A channel says that its platform knows keys, and it does not.
    KeysClaimed,
    /// A request may outlive the lease (assumption A1).
    A1Off,
}

impl Mutant {
    pub const ALL: [Self; 10] = [
        Self::FenceOff,
        Self::LeaseCheckOff,
        Self::LeaseOff,
        Self::ToolJournalOff,
        Self::OutboxMarkOff,
        Self::PlaceholdersForgotten,
        Self::LastWriterWins,
        Self::RowsForgotten,
        Self::KeysClaimed,
        Self::A1Off,
    ];
}

#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub name: &'static str,
    pub lines: &'static [Line],
    /// What the model wants run in its first step, by tool; see [`super::attempt::effect`].
    pub tools: &'static [&'static str],
    /// For which events it wants tools.
    pub tools_for: &'static [u8],
    /// Parts of a reply.
    pub parts: u8,
    /// Parts sent before the tools run.
    pub interim: u8,
    /// Events that need no model.
    pub commands: &'static [u8],
    /// Whether the platform knows idempotency keys.
    pub keyed: bool,
    /// Whether a part takes the place of an empty message.
    pub placed: bool,
    /// Functions alive at once.
    pub functions: usize,
    /// Most messages of a line in one batch; those after the first are joined to its turn.
    pub batch: usize,
    /// Whether one function may hold several lines at once.
    pub several_lines: bool,
    /// Whether a running turn is shown what came meanwhile.
    pub steering: bool,
    /// Whether finished turns are announced.
    pub announce: bool,
    /// Receives after which a message goes to the dead letters; 0 is never.
    pub receives: u8,
    /// How long a tool, a model, a part takes.
    pub slow_ms: u64,
    /// How long one function has.
    pub slice_ms: u64,
    pub past: Past,
    pub left: Left,
    /// States there are at least: fewer, and the exploration has lost its way.
    pub at_least: usize,
}

const TWO: &[Line] = &[Line { session: 0, events: &[0, 1], later: &[] }];

const NONE: Left = Left {
    crashes: 0,
    reshown: 0,
    leases: 0,
    repeats: 0,
    throttles: 0,
    sends: 0,
    silences: 0,
    drafts: 0,
    blocks: 0,
    ticks: 0,
    stops: 0,
};

/// The scope of the paper: two messages, one tool, one part.
pub const PLAIN: Scope = Scope {
    name: "plain",
    lines: TWO,
    tools: &["book"],
    tools_for: &[0, 1],
    parts: 1,
    interim: 0,
    commands: &[],
    keyed: false,
    placed: false,
    functions: 2,
    batch: 1,
    several_lines: false,
    steering: false,
    announce: false,
    receives: 0,
    slow_ms: 0,
    slice_ms: 10_000_000,
    past: Past::Nothing,
    left: Left { crashes: 2, reshown: 1, leases: 1, ..NONE },
    at_least: 258_900,
};

const FEW: Left = Left { crashes: 1, reshown: 1, leases: 1, ..NONE };

pub const SCOPES: &[Scope] = &[
    PLAIN,
    Scope { name: "plain, the platform knows keys", left: FEW, keyed: true, functions: 2, at_least: 36_100, ..PLAIN },
    Scope { name: "parts", tools: &[], parts: 3, functions: 2, left: FEW, at_least: 39_200, ..PLAIN },
    Scope {
        name: "refusals",
        tools: &[],
        parts: 2,
        functions: 2,
        left: Left { sends: 2, crashes: 1, ..NONE },
        at_least: 3_500,
        ..PLAIN
    },
    Scope {
        name: "refusals, the platform knows keys",
        tools: &[],
        parts: 2,
        keyed: true,
        functions: 2,
        left: Left { sends: 2, crashes: 1, ..NONE },
        at_least: 1_400,
        ..PLAIN
    },
    Scope {
        name: "parallel tools",
        tools: &["book", "pay", "note"],
        tools_for: &[0],
        functions: 2,
        left: Left { crashes: 2, ..NONE },
        at_least: 1_500,
        ..PLAIN
    },
    Scope {
        name: "a tool that only looks, one nobody has",
        tools: &["look", "dance", "note"],
        tools_for: &[0],
        functions: 2,
        left: FEW,
        at_least: 21_000,
        ..PLAIN
    },
    Scope {
        name: "two groups",
        lines: &[Line { session: 0, events: &[0, 1], later: &[] }, Line { session: 1, events: &[2], later: &[] }],
        tools: &[],
        batch: 2,
        several_lines: true,
        functions: 2,
        left: Left { crashes: 1, ..NONE },
        at_least: 39_600,
        ..PLAIN
    },
    Scope {
        name: "throttling",
        functions: 2,
        tools: &["book"],
        tools_for: &[0],
        left: Left { throttles: 2, leases: 1, ..NONE },
        at_least: 4_400,
        ..PLAIN
    },
    Scope {
        name: "throttling, parallel tools, two parts",
        functions: 2,
        tools: &["book", "note"],
        tools_for: &[0],
        parts: 2,
        left: Left { crashes: 1, throttles: 2, ..NONE },
        at_least: 9_900,
        ..PLAIN
    },
    Scope {
        name: "dead letters",
        receives: 2,
        functions: 2,
        tools_for: &[0],
        left: Left { crashes: 2, reshown: 1, leases: 1, ..NONE },
        at_least: 209_600,
        ..PLAIN
    },
    Scope {
        name: "joined messages",
        lines: &[Line { session: 0, events: &[0, 1, 2], later: &[] }],
        tools_for: &[0],
        batch: 3,
        functions: 2,
        left: Left { crashes: 1, leases: 1, ..NONE },
        at_least: 11_900,
        ..PLAIN
    },
    Scope {
        name: "steering",
        lines: &[Line { session: 0, events: &[0], later: &[1, 2] }],
        tools_for: &[0],
        steering: true,
        functions: 2,
        left: Left { crashes: 1, leases: 1, throttles: 1, ..NONE },
        at_least: 58_400,
        ..PLAIN
    },
    Scope {
        name: "stop",
        announce: true,
        functions: 2,
        left: Left { crashes: 1, leases: 1, reshown: 1, stops: 1, ..NONE },
        at_least: 142_300,
        ..PLAIN
    },
    Scope {
        name: "two lanes",
        lines: &[Line { session: 0, events: &[0], later: &[] }, Line { session: 0, events: &[1], later: &[] }],
        tools_for: &[0],
        functions: 2,
        left: Left { crashes: 1, leases: 1, ..NONE },
        at_least: 79_300,
        ..PLAIN
    },
    Scope {
        name: "a growing answer",
        lines: &[Line { session: 0, events: &[0], later: &[] }],
        tools: &[],
        parts: 2,
        functions: 2,
        left: Left { crashes: 1, leases: 1, reshown: 1, drafts: 2, ticks: 1, sends: 1, ..NONE },
        at_least: 206_000,
        ..PLAIN
    },
    Scope {
        name: "placeholders",
        lines: &[Line { session: 0, events: &[0, 1], later: &[] }],
        tools: &[],
        parts: 2,
        placed: true,
        functions: 2,
        left: Left { crashes: 1, leases: 1, reshown: 1, sends: 1, ..NONE },
        at_least: 1,
        ..PLAIN
    },
    Scope {
        name: "parts on the way",
        lines: &[Line { session: 0, events: &[0, 1], later: &[] }],
        tools: &["book"],
        tools_for: &[0],
        interim: 2,
        functions: 2,
        left: Left { crashes: 1, leases: 1, reshown: 1, sends: 1, ..NONE },
        at_least: 10_000,
        ..PLAIN
    },
    Scope {
        name: "blocks of an answer",
        lines: &[Line { session: 0, events: &[0], later: &[] }],
        tools: &[],
        functions: 2,
        left: Left { crashes: 1, leases: 1, reshown: 1, blocks: 2, ..NONE },
        at_least: 47_000,
        ..PLAIN
    },
    Scope {
        name: "blocks of an answer, a tool, a model that breaks off",
        lines: &[Line { session: 0, events: &[0], later: &[1] }],
        tools_for: &[0],
        steering: true,
        functions: 2,
        left: Left { crashes: 1, silences: 1, throttles: 1, blocks: 2, ..NONE },
        at_least: 420_000,
        ..PLAIN
    },
    Scope {
        name: "a silent model",
        tools_for: &[0],
        functions: 2,
        left: Left { crashes: 1, silences: 6, ..NONE },
        at_least: 6_400,
        ..PLAIN
    },
    Scope {
        name: "slow tools",
        tools: &["book", "pay", "note"],
        tools_for: &[0],
        slow_ms: 20_000,
        functions: 2,
        left: Left { crashes: 1, leases: 1, ..NONE },
        at_least: 1_500,
        ..PLAIN
    },
    Scope {
        name: "short slices",
        slow_ms: 20_000,
        slice_ms: 40_000,
        functions: 2,
        left: Left { crashes: 1, leases: 1, reshown: 1, ..NONE },
        at_least: 75_000,
        ..PLAIN
    },
    Scope {
        name: "commands",
        commands: &[0],
        tools: &[],
        parts: 2,
        announce: true,
        functions: 2,
        left: Left { crashes: 1, throttles: 1, leases: 1, ..NONE },
        at_least: 5_800,
        ..PLAIN
    },
    Scope { name: "an old wound", past: Past::Unrepaired, functions: 2, left: FEW, at_least: 43_900, ..PLAIN },
    Scope {
        name: "a late repetition",
        past: Past::LongAgo,
        tools: &[],
        functions: 2,
        receives: 2,
        left: FEW,
        at_least: 9_700,
        ..PLAIN
    },
    Scope {
        name: "given up",
        past: Past::Hopeless,
        tools_for: &[0],
        functions: 2,
        left: FEW,
        at_least: 10_400,
        ..PLAIN
    },
];
