//! `chela audit log`: who agreed to what, and whether the records are those that were written.

use chela_core::approval::visible;
use chela_core::audit::{Record, verify};
use clap::Args;
use serde_json::json;

use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{FAINT, GOOD, line, table};

/// Digits of a digest that the table shows.
const SHORT: usize = 12;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela audit log\n  chela audit log --verify\n  chela audit log --verify --newest 5d4c…   # the digest an earlier --verify told\n  chela audit log --json | jq '.records[] | select(.what == \"ran\")'\n\n--verify ends with an error if a record was changed, left out or put in; with --newest also if the end was cut off."
)]
pub(crate) struct Log {
    /// Verify the chain from the first record to the last
    #[arg(long)]
    verify: bool,
    /// The digest of a record that must be there
    #[arg(long, value_name = "DIGEST", requires = "verify")]
    newest: Option<String>,
    /// For machines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

impl Log {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let records = whole(&self.remote.open(&self.place).await?).await?;
        if self.verify {
            return self.verified(&records);
        }
        if self.json {
            line(&json!({"records": records}).to_string());
        } else if records.is_empty() {
            line("Nothing was asked yet.");
        } else {
            let rows: Vec<Vec<String>> = records.iter().map(row).collect();
            table(&["number", "when (UTC)", "what", "agent", "tool", "programs", "by", "digest"], &rows);
        }
        Ok(())
    }

    fn verified(&self, records: &[Record]) -> anyhow::Result<()> {
        verify(records, self.newest.as_deref())?;
        let newest = records.last().map(|record| record.digest_of_record.as_str());
        if self.json {
            line(&json!({"verified": records.len(), "newest": newest}).to_string());
        } else {
            line(&format!("{GOOD}unbroken{GOOD:#}  {} records", records.len()));
            if let Some(newest) = newest {
                line(&format!("{FAINT}keep this elsewhere, and give it to --newest next time:{FAINT:#} {newest}"));
            }
        }
        Ok(())
    }
}

/// All records, oldest first.
async fn whole(remote: &Remote) -> anyhow::Result<Vec<Record>> {
    let (mut all, mut before) = (Vec::<Record>::new(), None);
    loop {
        let query = before.map(|before: u64| format!("?before={before}")).unwrap_or_default();
        let mut answer = remote.get(&format!("/audit{query}")).await?;
        let page = answer.get_mut("records").map(serde_json::Value::take).unwrap_or_default();
        let page: Vec<Record> = serde_json::from_value(page)?;
        let lowest = page.iter().map(|record| record.number).min();
        all.extend(page);
        // A page that goes no further back would be asked for for ever.
        if lowest.is_none_or(|lowest| before.is_some_and(|before| lowest >= before)) {
            break;
        }
        before = lowest;
    }
    all.reverse();
    Ok(all)
}

fn row(record: &Record) -> Vec<String> {
    let it = &record.happening;
    let at = i64::try_from(it.at.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let at = at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    let what = json!(it.what).as_str().unwrap_or_default().to_owned();
    let digest: String = it.digest.chars().take(SHORT).collect();
    let told = [what, it.agent.clone(), it.tool.clone(), it.programs.join(" "), it.by.clone(), digest];
    [record.number.to_string(), at].into_iter().chain(told.map(|text| visible(&text))).collect()
}
