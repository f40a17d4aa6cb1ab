//! `chela usage`: what was spent, and the switch that stops it.

use anyhow::Context as _;
use chela_app::usage::{DayOfUsage, ScopeOfUsage, Usage};
use chela_core::spend::{NanoDollars, Scope};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::RemoteOptions;
use crate::show::{BAD, GOOD, WARN, line, note, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela usage\n  chela usage --days 7 --by user\n  chela usage --days 7 --by service\n  chela usage --days 30 --csv > usage.csv\n  chela usage halt\n  chela usage resume\n\nLimits are set at spend.limits in the configuration. Days begin at midnight in agents.defaults.userTimezone."
)]
pub(crate) struct UsageCommand {
    #[command(subcommand)]
    command: Option<Switch>,
    /// How many days, today included
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=90))]
    days: u16,
    /// Only this kind of sums
    #[arg(long, value_enum)]
    by: Option<Kind>,
    /// For machines; amounts are billionths of a dollar
    #[arg(long, global = true)]
    json: bool,
    /// For spreadsheets
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Switch {
    /// Stop all spending: no model and no other service is asked any more
    Halt,
    /// Let spending go on
    Resume,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Agent,
    User,
    Channel,
    Service,
}

impl UsageCommand {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        if let Some(switch) = &self.command {
            let halted = matches!(switch, Switch::Halt);
            let answer = remote.post("/usage/halt", &json!({"halted": halted})).await?;
            return self.switched(&answer);
        }
        let answer = remote.get(&format!("/usage?days={}", self.days)).await?;
        let mut usage: Usage =
            serde_json::from_value(answer).context("the gateway answers in a form not known here")?;
        for day in &mut usage.days {
            day.scopes.retain(|of| self.by.is_none_or(|kind| kind.is_of(&of.scope)));
        }
        if self.json {
            line(&json!(usage).to_string());
        } else if self.csv {
            csv(&usage).iter().for_each(|row| line(row));
        } else {
            show(&usage);
        }
        Ok(())
    }

    fn switched(&self, answer: &Value) -> anyhow::Result<()> {
        let is = |key: &str| answer.get(key).and_then(Value::as_bool).unwrap_or_default();
        if self.json {
            line(&answer.to_string());
        } else if is("halted") && is("byConfiguration") {
            line(&format!("{WARN}halted{WARN:#} by spend.halted in the configuration: take it out to resume"));
        } else if is("halted") {
            line(&format!("{BAD}halted{BAD:#}: no model and no other service is asked until `chela usage resume`"));
        } else {
            line(&format!("{GOOD}resumed{GOOD:#}"));
        }
        Ok(())
    }
}

impl Kind {
    fn is_of(self, scope: &Scope) -> bool {
        match scope {
            Scope::All => false,
            Scope::Agent(_) => self == Self::Agent,
            Scope::User(_) => self == Self::User,
            Scope::Channel(_) => self == Self::Channel,
            Scope::Service(_) => self == Self::Service,
        }
    }
}

fn show(usage: &Usage) {
    let rows: Vec<Vec<String>> =
        usage.days.iter().flat_map(|day| day.scopes.iter().map(move |of| row(day, of))).collect();
    if rows.is_empty() {
        line("Nothing was spent.");
    } else {
        table(&["day", "what", "spent", "reserved", "limit", "calls", "tokens in", "cached", "out"], &rows);
    }
    if usage.days.len() > 1 {
        totals(usage).iter().for_each(|total| line(total));
    }
    if usage.halted {
        note(&format!("{WARN}Spending is halted.{WARN:#} `chela usage resume` lets it go on."));
    }
}

fn row(day: &DayOfUsage, of: &ScopeOfUsage) -> Vec<String> {
    let (kind, id) = words(&of.scope);
    let tokens = &of.spending.usage;
    let read = tokens.input.saturating_add(tokens.cache_read).saturating_add(tokens.cache_write);
    let some = |amount: NanoDollars| if amount == 0 { String::new() } else { dollars(amount) };
    vec![
        day.date.clone(),
        format!("{kind} {id}").trim_end().to_owned(),
        dollars(of.spending.spent),
        some(of.spending.reserved),
        of.limit.map(dollars).unwrap_or_default(),
        of.spending.calls.to_string(),
        read.to_string(),
        tokens.cache_read.to_string(),
        tokens.output.to_string(),
    ]
}

/// Sums over all days, by scope.
fn totals(usage: &Usage) -> Vec<String> {
    let mut sums: std::collections::BTreeMap<&Scope, (NanoDollars, u64)> = std::collections::BTreeMap::new();
    for of in usage.days.iter().flat_map(|day| &day.scopes) {
        let (spent, calls) = sums.entry(&of.scope).or_default();
        *spent = spent.saturating_add(of.spending.spent);
        *calls = calls.saturating_add(of.spending.calls);
    }
    let told = |(scope, (spent, calls)): (&Scope, (NanoDollars, u64))| {
        let (kind, id) = words(scope);
        let what = format!("{kind} {id}");
        format!("{} days  {}  {} in {calls} calls", usage.days.len(), what.trim_end(), dollars(spent))
    };
    sums.into_iter().map(told).collect()
}

fn csv(usage: &Usage) -> Vec<String> {
    let heading = "day,scope,id,spent_usd,reserved_usd,limit_usd,calls,input,output,cache_read,cache_write";
    let mut rows = vec![heading.to_owned()];
    for (day, of) in usage.days.iter().flat_map(|day| day.scopes.iter().map(move |of| (day, of))) {
        let (kind, id) = words(&of.scope);
        let tokens = &of.spending.usage;
        let exact = |amount: NanoDollars| format!("{}.{:09}", amount / 1_000_000_000, amount % 1_000_000_000);
        rows.push(
            [
                day.date.clone(),
                kind.to_owned(),
                cell(id),
                exact(of.spending.spent),
                exact(of.spending.reserved),
                of.limit.map(exact).unwrap_or_default(),
                of.spending.calls.to_string(),
                tokens.input.to_string(),
                tokens.output.to_string(),
                tokens.cache_read.to_string(),
                tokens.cache_write.to_string(),
            ]
            .join(","),
        );
    }
    rows
}

/// A text as a cell: quoted where it would end the cell, and never a formula.
fn cell(text: &str) -> String {
    let plain = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if plain.contains([',', '"', '\n', '\r']) { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
}

fn words(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::All => ("everything", ""),
        Scope::Agent(id) => ("agent", id),
        Scope::Channel(id) => ("channel", id),
        Scope::User(id) => ("user", id),
        Scope::Service(service) => ("service", service.name()),
    }
}

fn dollars(amount: NanoDollars) -> String {
    // Tenths of a thousandth, rounded up: what was spent is never shown as nothing.
    let parts = amount.div_ceil(100_000);
    format!("${}.{:04}", parts / 10_000, parts % 10_000)
}

#[cfg(test)]
mod tests {
    use chela_core::model;
    use chela_core::purse::Service;
    use chela_core::spend::Spending;

    use super::*;

    fn usage() -> Usage {
        let of = |scope| ScopeOfUsage {
            scope,
            spending: Spending {
                spent: 1_500_000_001,
                reserved: 0,
                calls: 3,
                usage: model::Usage { input: 10, output: 5, cache_read: 7, cache_write: 0 },
            },
            limit: None,
        };
        let day = |date: &str| DayOfUsage {
            date: date.into(),
            scopes: vec![
                of(Scope::All),
                of(Scope::User("slack:a,\"b".into())),
                of(Scope::Service(Service::Transcripts)),
            ],
        };
        Usage { timezone: "UTC".into(), halted: false, days: vec![day("2026-11-21"), day("2026-11-20")] }
    }

    #[test]
    fn a_table_shows_every_sum_and_the_sums_of_all_days() {
        let usage = usage();
        let row = row(&usage.days[0], &usage.days[0].scopes[0]);
        assert_eq!(row, ["2026-11-21", "everything", "$1.5001", "", "", "3", "17", "7", "5"]);
        assert_eq!(
            totals(&usage),
            [
                "2 days  everything  $3.0001 in 6 calls",
                "2 days  user slack:a,\"b  $3.0001 in 6 calls",
                "2 days  service transcripts  $3.0001 in 6 calls"
            ]
        );
    }

    #[test]
    fn a_spreadsheet_reads_the_rows_whatever_an_id_is() {
        let rows = csv(&usage());
        assert_eq!(rows[1], "2026-11-21,everything,,1.500000001,0.000000000,,3,10,5,7,0");
        assert_eq!(rows[2], "2026-11-21,user,\"slack:a,\"\"b\",1.500000001,0.000000000,,3,10,5,7,0");
        assert_eq!(rows[3], "2026-11-21,service,transcripts,1.500000001,0.000000000,,3,10,5,7,0");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert!(rows.iter().skip(1).all(|row| row.split(',').count() >= rows[0].split(',').count()));
    }
}
