//! Who is heard, and who is the owner.

use chela_config::{Account, DEFAULT_ACCOUNT};
use chela_core::gate::{DmPolicy, GroupPolicy};
use chela_core::session_key::DmScope;
use serde_json::json;

use crate::checks::{EMPTY_LIST, NO_OWNER, OPEN_DM, OPEN_ROOMS, SHARED_SESSION, UNADDRESSED};
use crate::{Finding, Repair, Severity, Subject};

/// Whether strangers are heard directly or in rooms.
pub(crate) fn is_open(account: &Account) -> bool {
    opens_directly(account) || opens_rooms(account)
}

fn opens_directly(account: &Account) -> bool {
    account.gate.dm_policy != DmPolicy::Disabled && account.gate.allow_from.iter().any(|id| id.trim() == "*")
}

fn opens_rooms(account: &Account) -> bool {
    account.gate.group_policy == GroupPolicy::Open
        || (account.gate.group_policy != GroupPolicy::Disabled
            && account.gate.groups.values().any(|rule| rule.group_policy == Some(GroupPolicy::Open)))
}

/// Accounts that are turned on.
pub(crate) fn enabled(subject: &Subject<'_>) -> Vec<Account> {
    subject.config.accounts().into_iter().filter(|account| account.gate.enabled).collect()
}

/// The keys that lead to an account's own settings.
pub(crate) fn keys(subject: &Subject<'_>, account: &Account, key: &str) -> Vec<String> {
    let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let own = owned(&["channels", &account.channel, "accounts", &account.id, key]);
    let shared = owned(&["channels", &account.channel, key]);
    let written = subject.written.pointer(&format!("/channels/{}/accounts/{}", account.channel, account.id));
    let has = written.is_some_and(|written| written.get(key).is_some());
    if account.id != DEFAULT_ACCOUNT && has { own } else { shared }
}

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let accounts = enabled(subject);
    for account in &accounts {
        look_at(subject, account, findings);
    }
    let owned = |account: &Account| {
        account.gate.owners.as_ref().unwrap_or(&account.gate.allow_from).iter().any(|id| id.trim() != "*")
    };
    if !accounts.is_empty() && !accounts.iter().any(owned) {
        let fix = "name your own id in commands.ownerAllowFrom, as [\"telegram:123456789\"]";
        findings.push(NO_OWNER.found("commands.ownerAllowFrom", "no sender is named as the owner", fix));
    }
    look_at_shared(subject, &accounts, findings);
}

/// Several people in one conversation: what one says in private the others are answered with.
fn look_at_shared(subject: &Subject<'_>, accounts: &[Account], findings: &mut Vec<Finding>) {
    let several = |account: &Account| account.gate.allow_from.len() > 1 && account.gate.dm_policy != DmPolicy::Disabled;
    let open = accounts.iter().any(opens_directly);
    let shared = subject.config.routing.session.dm_scope.unwrap_or_default() == DmScope::Main;
    if shared && (open || accounts.iter().any(several)) {
        let fix = "set session.dmScope to \"per-channel-peer\", unless all of them are you";
        let found =
            SHARED_SESSION.found("session.dmScope", "several people write directly, into one conversation", fix);
        findings.push(if open { found.of_severity(Severity::Critical) } else { found });
    }
}

fn look_at(subject: &Subject<'_>, account: &Account, findings: &mut Vec<Finding>) {
    let gate = &account.gate;
    let at = |key| keys(subject, account, key).join(".");
    if opens_directly(account) {
        let fix = "use dmPolicy \"pairing\" and name the senders, or keep spend.limits.perUserPerDay low";
        findings.push(OPEN_DM.found(at("allowFrom"), "everybody can write directly", fix));
    }
    if gate.dm_policy == DmPolicy::Allowlist && gate.allow_from.is_empty() {
        let fix = "add sender ids to allowFrom, or use dmPolicy \"pairing\"";
        findings.push(EMPTY_LIST.found(at("allowFrom"), "the list of senders is empty: nobody is heard", fix));
    }
    if gate.group_policy == GroupPolicy::Open {
        let fix = "use groupPolicy \"allowlist\" and list the rooms under groups";
        let repair = Repair::Key { path: keys(subject, account, "groupPolicy"), value: json!("allowlist") };
        findings.push(OPEN_ROOMS.found(at("groupPolicy"), "every room is answered", fix).with(repair));
    }
    let unaddressed = gate.groups.iter().find(|(_, rule)| rule.require_mention == Some(false));
    let everywhere = !gate.require_mention && gate.group_policy != GroupPolicy::Disabled;
    if let Some(room) = unaddressed.map(|(room, _)| format!("{}.{room}.requireMention", at("groups"))) {
        findings.push(UNADDRESSED.found(room, "every message of this room is answered", "set requireMention: true"));
    } else if everywhere {
        let fix = "set requireMention: true, and false for single rooms under groups";
        let repair = Repair::Key { path: keys(subject, account, "requireMention"), value: json!(true) };
        let found = UNADDRESSED.found(at("requireMention"), "every message of every room is answered", fix);
        findings.push(found.with(repair));
    }
}
