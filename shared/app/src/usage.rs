//! What was spent, day by day, and what may be.

use std::collections::BTreeMap;

use chela_agent::{Limits, SpendRules};
use chela_config::Config;
use chela_core::clock::Millis;
use chela_core::purse::{Service, Tariff};
use chela_core::session::StoreError;
use chela_core::spend::{Day, NanoDollars, Scope, SpendStore, Spending};
use serde::{Deserialize, Serialize};

use crate::models::FREE;

/// What was spent on some days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Where days begin.
    pub timezone: String,
    /// Whether spending is halted, by configuration or by command.
    pub halted: bool,
    /// Newest first, days without any call included.
    pub days: Vec<DayOfUsage>,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayOfUsage {
    /// As in `2026-11-21`.
    pub date: String,
    /// One for each scope in which something was spent.
    pub scopes: Vec<ScopeOfUsage>,
}

/// One scope of a day. Amounts are billionths of a dollar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeOfUsage {
    /// Whose.
    #[serde(flatten)]
    pub scope: Scope,
    /// What was spent.
    #[serde(flatten)]
    pub spending: Spending,
    /// The limit of today, if there is one now.
    pub limit: Option<NanoDollars>,
}

/// Reads the last `days` days, one read each.
pub(crate) async fn read(
    store: &dyn SpendStore,
    rules: &SpendRules,
    now: Millis,
    days: u16,
) -> Result<Usage, StoreError> {
    let mut read = Vec::new();
    let mut date = rules.date(now);
    for _ in 0..days {
        let day = Day { tenant: rules.tenant.clone(), date: date.clone() };
        let scopes = store.spending(&day).await?.into_iter().map(|(scope, spending)| {
            let limit = rules.limit(&scope);
            ScopeOfUsage { scope, spending, limit }
        });
        let before = before(&date);
        read.push(DayOfUsage { date, scopes: scopes.collect() });
        match before {
            Some(before) => date = before,
            None => break,
        }
    }
    let halted = rules.halted || store.halted(&rules.tenant).await?;
    Ok(Usage { timezone: rules.timezone.clone(), halted, days: read })
}

/// The day before: not 24 hours before, because days differ.
fn before(date: &str) -> Option<String> {
    let date: jiff::civil::Date = date.parse().ok()?;
    Some(date.yesterday().ok()?.to_string())
}

/// What may be spent, as configuration says.
pub(crate) fn rules(config: &Config) -> SpendRules {
    let spend = &config.spend;
    let limits = &spend.limits;
    let of = |each: Option<f64>, named: &BTreeMap<String, f64>| Limits {
        each: each.map(nano),
        // Session keys and ids are compared in lower case.
        named: named.iter().map(|(id, limit)| (id.to_lowercase(), nano(*limit))).collect(),
    };
    SpendRules {
        tenant: spend.tenant.clone(),
        timezone: config.agents.defaults.user_timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
        halted: spend.halted,
        warn_at: (spend.warn_at * 1000.0).round() as u64,
        per_day: limits.per_day.map(nano),
        agents: of(limits.per_agent_per_day, &limits.agents),
        users: of(limits.per_user_per_day, &limits.users),
        channels: of(limits.per_channel_per_day, &limits.channels),
    }
}

/// Whether persons have limits of their own: then nobody's words are answered at another's cost.
pub(crate) fn each_pays(config: &Config) -> bool {
    let limits = &config.spend.limits;
    limits.per_user_per_day.is_some() || !limits.users.is_empty()
}

/// What a provider takes for a service: what configuration says, else what is known of it at its usual address. Servers
/// of one's own send no bill.
pub(crate) fn tariff(config: &Config, service: Service, provider: &str, model: &str, usual: bool) -> Tariff {
    let name = format!("{provider}/{model}");
    let said = config.spend.prices.of(service.name()).and_then(|prices| prices.get(&name).copied());
    let known = || chela_models::price_of_service(service, provider, model).filter(|_| usual);
    let free = || FREE.contains(&provider).then_some(0);
    let price = said.map(|dollars| chela_models::nano(service, dollars)).or_else(known).or_else(free);
    Tariff { service, name, price }
}

fn nano(dollars: f64) -> NanoDollars {
    // A number below zero becomes zero: nothing may be spent.
    (dollars * 1e9).round() as NanoDollars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_as_it_was_written() {
        let scopes = [Scope::All, Scope::User("telegram:7".into())].map(|scope| ScopeOfUsage {
            scope,
            spending: Spending { spent: 7, calls: 1, ..Spending::default() },
            limit: Some(9),
        });
        let days = vec![DayOfUsage { date: "2026-11-21".into(), scopes: scopes.into() }];
        let usage = Usage { timezone: "UTC".into(), halted: false, days };
        let text = serde_json::to_string(&usage).unwrap();
        assert!(text.contains(r#""scope":"user","id":"telegram:7","spent":7"#), "{text}");
        assert_eq!(serde_json::from_str::<Usage>(&text).unwrap(), usage);
        assert_eq!(before("2026-03-01").as_deref(), Some("2026-02-28"));
    }

    #[test]
    fn a_price_is_what_is_configured_then_what_is_known_at_the_usual_address() {
        let text = r#"{ "spend": { "prices": { "speech": { "openai/tts-1": 20, "own/voice": 0 } } } }"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let price = |service, provider, model, usual| tariff(&config, service, provider, model, usual).price;
        assert_eq!(price(Service::Speech, "openai", "tts-1", true), Some(20_000_000), "as configured");
        assert_eq!(price(Service::Speech, "openai", "tts-1-hd", true), Some(30_000_000), "as published");
        assert_eq!(price(Service::Speech, "openai", "tts-1-hd", false), None, "somebody else's server");
        assert_eq!(price(Service::Speech, "own", "voice", false), Some(0));
        assert_eq!(price(Service::Embeddings, "ollama", "nomic-embed-text", true), Some(0));
        assert_eq!(price(Service::Transcripts, "own", "ears", false), None);
    }

    #[test]
    fn dollars_of_the_configuration_become_limits() {
        let text = r#"{ "spend": { "warnAt": 0.5, "limits": {
            "perDay": 5, "perUserPerDay": 0.5, "users": { "slack:U07": 3 }, "agents": { "work": -1 }
        } } }"#;
        let rules = rules(&serde_json::from_str(text).unwrap());
        let of = |scope: Scope| rules.limit(&scope);
        assert_eq!(of(Scope::All), Some(5_000_000_000));
        assert_eq!(of(Scope::User("slack:u07".into())), Some(3_000_000_000));
        assert_eq!(of(Scope::User("slack:u08".into())), Some(500_000_000));
        assert_eq!((of(Scope::Agent("work".into())), of(Scope::Agent("main".into()))), (Some(0), None));
        assert_eq!(rules.warn_at, 500);
    }
}
