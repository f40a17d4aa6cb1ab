//! What SES says about a message it has received.
//! <https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html>

use aws_lambda_events::event::ses::{SimpleEmailEvent, SimpleEmailRecord, SimpleEmailVerdict};
use chela_channel_email::forward::Verdict;

/// A message to be handed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    /// Its id, under which it is stored.
    pub(crate) id: String,
    /// Whom the envelope names.
    pub(crate) recipients: Vec<String>,
    /// Whether its author is its author.
    pub(crate) verdict: Verdict,
}

/// A message nobody shall see.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Its id.
    pub(crate) id: String,
    /// Why.
    pub(crate) why: &'static str,
}

/// The messages of an event: one, as far as anybody has seen.
pub(crate) fn read(event: SimpleEmailEvent) -> Vec<Result<Mail, Dropped>> {
    event.records.into_iter().map(message).collect()
}

fn message(record: SimpleEmailRecord) -> Result<Mail, Dropped> {
    let receipt = record.ses.receipt;
    let id = record.ses.mail.message_id.unwrap_or_default();
    let is = |verdict: &SimpleEmailVerdict, word: &str| verdict.status.as_deref() == Some(word);
    let why = match () {
        () if is(&receipt.virus_verdict, "FAIL") => "it carries a virus",
        () if is(&receipt.spam_verdict, "FAIL") => "it is spam",
        () if id.is_empty() => "it has no id",
        () => {
            // GRAY: its domain says nothing about who may write in its name. SPF and DKIM alone may be somebody else's.
            let verdict = match receipt.dmarc_verdict.status.as_deref() {
                Some("PASS") => Verdict::Pass,
                Some("FAIL") => Verdict::Fail,
                _ => Verdict::None,
            };
            return Ok(Mail { id, recipients: receipt.recipients, verdict });
        }
    };
    Err(Dropped { id, why })
}
