//! Three SQS FIFO queues, each with a dead-letter queue whose name is the lane's with `-dlq` before `.fifo`.

mod dead_letters;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use chela_core::queue::{Delivery, Depth, Envelope, Lane, Queue, QueueError};
use sha2::{Digest, Sha256};

use crate::client::{AwsClients, reason};
use crate::environment::{AwsEnvironment, MissingVariable};

/// Largest message: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MESSAGE_BYTES: usize = 1024 * 1024;

/// Most messages SQS hands out at once.
const BATCH: usize = 10;

/// Longest invisibility: twelve hours.
const LONGEST_HIDDEN_S: u32 = 12 * 60 * 60;

/// Longest reason kept with a buried message, in characters.
const REASON_CHARS: usize = 500;

/// The message attribute that holds why a message was buried.
const REASON: &str = "reason";

/// The error for a receipt that belongs to no message.
const INVALID_RECEIPT: &str = "ReceiptHandleIsInvalid";

/// Characters XML, and so SQS, has no place for. JSON writes the others, below U+0020, as escapes anyway.
const UNSENDABLE: [char; 2] = ['\u{fffe}', '\u{ffff}'];

/// The lanes a function was given. A lane it was not given answers every call with the variable it misses.
#[derive(Clone, Debug)]
pub struct Lanes {
    client: Client,
    /// Of the environment only the queues.
    queues: AwsEnvironment,
}

impl Lanes {
    /// Needs the variables of the lanes that are used, at least one. Does no I/O.
    pub fn new(clients: &AwsClients, environment: &AwsEnvironment) -> Result<Self, MissingVariable> {
        let given = Lane::ALL.into_iter().any(|lane| environment.queue(lane).is_ok());
        if !given {
            environment.queue(Lane::Live)?;
        }
        let queues = AwsEnvironment {
            queue_live: environment.queue_live.clone(),
            queue_scheduled: environment.queue_scheduled.clone(),
            queue_background: environment.queue_background.clone(),
            ..AwsEnvironment::default()
        };
        Ok(Self { client: Client::new(clients.config()), queues })
    }

    /// Opens the connection, so that the first message does not wait for it: asks SQS to take a message that no FIFO
    /// queue takes, because that is the one call every function with a queue may make. A refusal is an answer; an
    /// error means that nothing answered. Twice is harmless.
    pub async fn warm(&self, lane: Lane) -> Result<(), QueueError> {
        match self.client.send_message().queue_url(self.url(lane)?).message_body("warm").send().await {
            Ok(_) | Err(SdkError::ServiceError(_)) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    fn url(&self, lane: Lane) -> Result<&str, QueueError> {
        self.queues.queue(lane).map_err(|missing| QueueError::Unavailable(missing.to_string()))
    }

    async fn delete_from(&self, url: &str, receipt: &str) -> Result<(), QueueError> {
        match self.client.delete_message().queue_url(url).receipt_handle(receipt).send().await {
            Ok(_) => Ok(()),
            // Nothing (any more) has this receipt; one that merely ran out has another error.
            Err(error) if code(&error).ends_with(INVALID_RECEIPT) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

#[async_trait]
impl Queue for Lanes {
    async fn push(&self, lane: Lane, envelope: &Envelope) -> Result<(), QueueError> {
        let body = body(envelope)?;
        if body.len() > MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes: body.len(), limit: MESSAGE_BYTES });
        }
        let group = envelope.session.queue_group();
        self.client
            .send_message()
            .queue_url(self.url(lane)?)
            .message_deduplication_id(deduplication_id(&[&group, envelope.event.as_str()]))
            .message_group_id(group)
            .message_body(body)
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&error))
    }

    async fn receive(&self, lane: Lane, max: usize, visibility_s: u32) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let answer = self
            .client
            .receive_message()
            .queue_url(self.url(lane)?)
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .visibility_timeout(seconds(visibility_s))
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(|message| delivery(lane, message)).collect())
    }

    async fn delete(&self, lane: Lane, receipt: &str) -> Result<(), QueueError> {
        self.delete_from(self.url(lane)?, receipt).await
    }

    async fn hide(&self, lane: Lane, receipt: &str, seconds_from_now: u32) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(self.url(lane)?)
            .receipt_handle(receipt)
            .visibility_timeout(seconds(seconds_from_now))
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&error))
    }

    /// One request for up to ten messages: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>.
    async fn hide_all(&self, lane: Lane, receipts: &[&str], seconds_from_now: u32) -> Result<(), QueueError> {
        for some in receipts.chunks(BATCH) {
            let mut request = self.client.change_message_visibility_batch().queue_url(self.url(lane)?);
            for (index, receipt) in some.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(*receipt)
                    .visibility_timeout(seconds(seconds_from_now))
                    .build()
                    .map_err(|error| QueueError::Unavailable(error.to_string()))?;
                request = request.entries(entry);
            }
            // Single failures are messages that are not ours any more.
            request.send().await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// What is hidden before it is received first, which nothing here is, would count as waiting.
    async fn depth(&self, lane: Lane) -> Result<Depth, QueueError> {
        let (waiting, in_flight) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let ask = self.client.get_queue_attributes().queue_url(self.url(lane)?);
        let ask = ask.attribute_names(waiting.clone()).attribute_names(in_flight.clone());
        let answer = ask.send().await.map_err(|error| failed(&error))?;
        let count = |name: &QueueAttributeName| {
            let told = answer.attributes().and_then(|all| all.get(name)).and_then(|count| count.parse().ok());
            told.ok_or_else(|| QueueError::Unavailable(format!("the queue does not tell its {}", name.as_str())))
        };
        Ok(Depth { waiting: count(&waiting)?, in_flight: count(&in_flight)? })
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        let url = dead_letter_url(self.url(delivery.lane)?)?;
        let reason = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(readable(reason))
            .build()
            .map_err(|error| QueueError::Unavailable(error.to_string()))?;
        self.client
            .send_message()
            .queue_url(url)
            .message_deduplication_id(deduplication_id(&[&delivery.message_id]))
            .message_group_id(&delivery.group)
            .message_body(&delivery.body)
            .message_attributes(REASON, reason)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        self.delete(delivery.lane, &delivery.receipt).await
    }
}

/// The envelope as JSON, with the two characters SQS would replace written as escapes:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn body(envelope: &Envelope) -> Result<String, QueueError> {
    let json = serde_json::to_string(envelope).map_err(|error| QueueError::Unavailable(error.to_string()))?;
    if json.contains(UNSENDABLE) {
        return Ok(json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"));
    }
    Ok(json)
}

fn delivery(lane: Lane, message: Message) -> Delivery {
    let mut attributes = message.attributes.unwrap_or_default();
    let receives = attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount);
    Delivery {
        receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        group: attributes.remove(&MessageSystemAttributeName::MessageGroupId).unwrap_or_default(),
        message_id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        lane,
        body: message.body.unwrap_or_default(),
    }
}

/// The same event in two sessions is two messages, also where a queue deduplicates across its groups.
fn deduplication_id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// `…/chela-prod-live.fifo` has `…/chela-prod-live-dlq.fifo`, as infra/template.yaml names them.
fn dead_letter_url(url: &str) -> Result<String, QueueError> {
    let name = url.strip_suffix(".fifo").ok_or_else(|| {
        QueueError::Unavailable(format!("\"{url}\" is not the URL of a FIFO queue: its name must end with .fifo"))
    })?;
    Ok(format!("{name}-dlq.fifo"))
}

/// Characters SQS refuses in an attribute are left out, and it is cut to a line.
fn readable(reason: &str) -> String {
    let text: String =
        reason.chars().filter(|c| !c.is_control() && !UNSENDABLE.contains(c)).take(REASON_CHARS).collect();
    if text.is_empty() { "no reason given".to_owned() } else { text }
}

fn seconds(seconds: u32) -> i32 {
    i32::try_from(seconds.min(LONGEST_HIDDEN_S)).unwrap_or(0)
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// SQS has several words for a receipt whose time ran out:
/// <https://repost.aws/knowledge-center/sqs-receipt-handle-error>
fn failed<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> QueueError {
    let (code, reason) = (code(error), reason(error));
    let expired = code.ends_with("MessageNotInflight")
        || code.ends_with(INVALID_RECEIPT)
        || (code.ends_with("InvalidParameterValue") && reason.contains("receipt handle has expired"));
    if expired { QueueError::Expired } else { QueueError::Unavailable(reason) }
}

#[cfg(test)]
mod tests {
    use chela_core::clock::Millis;
    use chela_core::message::EventKey;
    use chela_core::queue::{ENVELOPE_VERSION, Task};
    use chela_core::session_key::SessionKey;

    use super::*;

    #[test]
    fn characters_sqs_would_replace_travel_as_escapes() {
        let prompt = "a\u{fffe}b\u{ffff}c\u{0}\u{1b}🦀\\ufffe".to_owned();
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            event: EventKey::of("webhook", "main", "1"),
            session: SessionKey::from_stored("agent:main:main"),
            agent: serde_json::from_str(r#""main""#).unwrap(),
            accepted_at: Millis(1),
            task: Task::Heartbeat {
                name: "a".into(),
                scheduled_at: Millis(1),
                prompt,
                deliver_to: None,
                made_for: None,
            },
        };
        let body = body(&envelope).unwrap();
        assert!(!body.contains(UNSENDABLE) && !body.contains(char::is_control), "{body}");
        assert_eq!(serde_json::from_str::<Envelope>(&body).unwrap(), envelope);
    }

    #[test]
    fn dead_letters_lie_beside_their_lane() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/chela-prod-live.fifo";
        let beside = "https://sqs.eu-west-1.amazonaws.com/123456789012/chela-prod-live-dlq.fifo";
        assert_eq!(dead_letter_url(url).unwrap(), beside);
        assert!(dead_letter_url("https://sqs.eu-west-1.amazonaws.com/1/standard").is_err());
    }

    #[test]
    fn parts_of_a_deduplication_id_are_kept_apart() {
        assert_ne!(deduplication_id(&["ab", "c"]), deduplication_id(&["a", "bc"]));
        assert_eq!(deduplication_id(&["ab", "c"]).len(), 64);
    }

    #[test]
    fn a_reason_is_one_readable_line() {
        assert_eq!(readable("a\u{0}b\nc\u{ffff}é✨🦀"), "abcé✨🦀");
        assert_eq!(readable("\n"), "no reason given");
        assert_eq!(readable(&"x".repeat(10_000)).len(), REASON_CHARS);
    }
}
