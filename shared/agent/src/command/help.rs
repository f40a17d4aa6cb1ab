//! `/help`, `/commands`, `/whoami`.

use chela_core::command::{Group, Name, Spec, TABLE};
use chela_core::queue::Authority;
use chela_core::session_key::PeerKind;

use super::Asked;

/// Those that a newcomer should know.
const FIRST: [Name; 9] = [
    Name::New,
    Name::Reset,
    Name::Stop,
    Name::Status,
    Name::Model,
    Name::Think,
    Name::Memory,
    Name::Help,
    Name::Commands,
];

/// What the sender may use here.
fn usable<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = &'static Spec> + 'a {
    TABLE.iter().filter(|spec| asked.allows(spec) && !asked.is_disabled(spec))
}

pub(super) fn help(asked: &Asked<'_>) -> String {
    let lines = usable(asked).filter(|spec| FIRST.contains(&spec.name));
    let lines: String = lines.map(|spec| format!("\n/{} – {}", spec.word, spec.does)).collect();
    format!("I answer whatever you write. Commands:{lines}")
}

pub(super) fn commands(asked: &Asked<'_>) -> String {
    let groups = Group::ALL.into_iter().filter_map(|group| {
        let lines = usable(asked).filter(|spec| spec.group == group);
        let lines: String = lines.map(|spec| format!("\n`{}` – {}", spec.usage(), spec.does)).collect();
        (!lines.is_empty()).then(|| format!("**{}**{lines}", group.title()))
    });
    groups.collect::<Vec<_>>().join("\n\n")
}

pub(super) fn whoami(asked: &Asked<'_>) -> String {
    let inbound = asked.inbound;
    let may = match (asked.authority, inbound.peer.kind) {
        (Authority::Owner, _) => "an owner",
        (Authority::Guest, PeerKind::Direct) => "a guest",
        (Authority::Guest, _) => "a guest in this room",
    };
    format!("You are `{}:{}`, on account {}. To me you are {may}.", inbound.channel, inbound.sender.id, inbound.account)
}
