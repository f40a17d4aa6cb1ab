//! `chela audit log`: who agreed to what, and whether the records are those that were written.

use anyhow::Context as _;
use chela_core::approval::escaped;
use chela_core::audit::{Record, verify};
use clap::Args;
use serde_json::json;

use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{FAINT, GOOD, line, table};

/// What to do about a log that does not verify.
const ALTERED: &str = "the log is not as it was written: keep it as it is, find out who may write to the store, and compare it \
                       with a backup (on AWS the table's point-in-time recovery)";

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
        unbroken(records, self.newest.as_deref())?;
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

/// Whether these are the records that were written, and all of them up to the one of this digest.
fn unbroken(records: &[Record], newest: Option<&str>) -> anyhow::Result<()> {
    verify(records, newest).context(ALTERED)
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
    [record.number.to_string(), at].into_iter().chain(told.map(|text| escaped(&text))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what breaks here is a failed test")]

    use axum::Router;
    use axum::extract::RawQuery;
    use axum::routing::get;
    use chela_core::audit::{Happening, What};
    use chela_core::clock::Millis;

    use super::*;

    /// Records on one page of the server below.
    const PAGE: usize = 2;

    fn records(count: u64) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for number in 1..=count {
            let happening = Happening {
                what: What::Ran,
                name: number.to_string(),
                agent: "main".into(),
                session: "0123456789abcdef".into(),
                tool: "exec".into(),
                programs: vec!["git".into()],
                digest: "d".into(),
                by: "telegram:7".into(),
                at: Millis(number),
            };
            records.push(Record::after(records.last(), happening));
        }
        records
    }

    /// What the command reads of a server that has these, newest first and page by page.
    async fn read(kept: Vec<Record>) -> Vec<Record> {
        let page = |RawQuery(asked): RawQuery| async move {
            let before = asked.and_then(|asked| asked.strip_prefix("before=")?.parse().ok()).unwrap_or(u64::MAX);
            let page: Vec<&Record> = kept.iter().rev().filter(|record| record.number < before).take(PAGE).collect();
            json!({"records": page}).to_string()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(axum::serve(listener, Router::new().route("/audit", get(page))).into_future());
        let read = whole(&Remote::new(&url, None).unwrap()).await.unwrap();
        server.abort();
        read
    }

    fn verified(records: &[Record], newest: Option<&str>) -> Result<(), String> {
        unbroken(records, newest).map_err(|error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn all_pages_are_read_and_verified() {
        for count in [0, 1, 2, 5] {
            let written = records(count);
            assert_eq!(read(written.clone()).await, written);
            assert_eq!(verified(&written, None), Ok(()));
        }
    }

    #[tokio::test]
    async fn what_was_changed_left_out_or_cut_off_is_told_with_what_to_do() {
        let written = records(5);
        let mut changed = written.clone();
        changed.get_mut(1).unwrap().happening.by = "telegram:8".into();
        let told = verified(&read(changed).await, None).unwrap_err();
        assert!(told.contains("record 2 was changed") && told.contains("compare it with a backup"), "{told}");
        let mut gap = written.clone();
        gap.remove(2);
        assert!(verified(&read(gap).await, None).unwrap_err().contains("record 3 is missing"));
        let newest = written.last().unwrap().digest_of_record.clone();
        let cut = read(written.iter().take(4).cloned().collect()).await;
        assert_eq!(verified(&cut, None), Ok(()), "an end that is cut off is seen by whoever kept its digest");
        assert!(verified(&cut, Some(&newest)).unwrap_err().contains("record 5 is missing"));
    }
}
