//! The dead letters of the lanes. SQS shows a message only to who receives it: each look counts as a receive and hides
//! what it sees until it gives that back.

use async_trait::async_trait;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use chela_core::clock::Millis;
use chela_core::queue::{Buried, DeadLetters, Delivery, Lane, QueueError};
use futures_util::future::join_all;

use super::{BATCH, Lanes, REASON, dead_letter_url, deduplication_id, delivery, failed, seconds};

/// How long a look at the dead letters hides them, if it does not come to give them back: longer than it takes, short
/// enough for the next look.
const LOOK_S: u32 = 20;

#[async_trait]
impl DeadLetters for Lanes {
    async fn buried(&self, limit: usize) -> Result<Vec<Buried>, QueueError> {
        let looks = join_all(Lane::ALL.map(|lane| self.look(lane, limit, |_| false))).await;
        let mut buried = Vec::new();
        for look in looks {
            buried.extend(look?.shown);
        }
        buried.sort_by_key(|letter| std::cmp::Reverse(letter.at));
        buried.truncate(limit);
        Ok(buried)
    }

    async fn redrive(&self, lane: Lane, id: &str) -> Result<bool, QueueError> {
        let Some((letter, receipt)) = self.look(lane, usize::MAX, |letter| letter.id == id).await?.found else {
            return Ok(false);
        };
        // Not the event's own name: that may have been pushed less than five minutes ago. Stopped between the two
        // requests it is redriven again under the same name, and later its turn is found finished.
        let sent = self
            .client
            .send_message()
            .queue_url(self.url(lane)?)
            .message_deduplication_id(deduplication_id(&["redriven", &letter.id]))
            .message_group_id(&letter.group)
            .message_body(&letter.body)
            .send();
        if let Err(error) = sent.await {
            self.give_back(lane, &receipt).await;
            return Err(failed(&error));
        }
        self.delete_from(&dead_letter_url(self.url(lane)?)?, &receipt).await?;
        Ok(true)
    }

    async fn discard(&self, lane: Lane, id: &str) -> Result<bool, QueueError> {
        let Some((_, receipt)) = self.look(lane, usize::MAX, |letter| letter.id == id).await?.found else {
            return Ok(false);
        };
        self.delete_from(&dead_letter_url(self.url(lane)?)?, &receipt).await?;
        Ok(true)
    }
}

/// What a look at a lane's dead letters showed.
#[derive(Default)]
struct Look {
    shown: Vec<Buried>,
    /// The one that was looked for, still hidden, with its receipt.
    found: Option<(Buried, String)>,
}

impl Lanes {
    /// Receives dead letters until there are no more, `limit` are seen or `wanted` is found, and gives all others back.
    async fn look(&self, lane: Lane, limit: usize, wanted: impl Fn(&Buried) -> bool) -> Result<Look, QueueError> {
        let url = dead_letter_url(self.url(lane)?)?;
        let (mut look, mut receipts) = (Look::default(), Vec::new());
        let mut failure = None;
        while look.found.is_none() && look.shown.len() < limit {
            let letters = match self.receive_letters(&url).await {
                Ok(letters) => letters,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                let (letter, receipt) = buried(lane, letter);
                if wanted(&letter) {
                    look.found = Some((letter, receipt));
                } else {
                    look.shown.push(letter);
                    receipts.push(receipt);
                }
            }
        }
        join_all(receipts.iter().map(|receipt| self.give_back(lane, receipt))).await;
        failure.map_or(Ok(look), Err)
    }

    async fn receive_letters(&self, url: &str) -> Result<Vec<Message>, QueueError> {
        self.client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(BATCH).unwrap_or(1))
            .visibility_timeout(seconds(LOOK_S))
            // Without a wait SQS asks only some of its servers, and few messages may look like none:
            // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names(REASON)
            .send()
            .await
            .map(|answer| answer.messages.unwrap_or_default())
            .map_err(|error| failed(&error))
    }

    /// If this fails the letter is hidden a few seconds longer.
    async fn give_back(&self, lane: Lane, receipt: &str) {
        let Ok(url) = self.url(lane).and_then(dead_letter_url) else { return };
        let show = self.client.change_message_visibility().queue_url(url).receipt_handle(receipt).visibility_timeout(0);
        let _ = show.send().await;
    }
}

/// A dead letter and its receipt. Those that SQS moved by itself have no reason of ours.
fn buried(lane: Lane, message: Message) -> (Buried, String) {
    let reason =
        message.message_attributes.as_ref().and_then(|attributes| attributes.get(REASON)?.string_value.clone());
    let sent =
        message.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok());
    let Delivery { message_id: id, receipt, group, receives, body, .. } = delivery(lane, message);
    let given_up = "the queue gave it up after 100 receives: the agent's log says why its turn did not end";
    let reason = reason.unwrap_or_else(|| given_up.to_owned());
    (Buried { lane, id, group, at: Millis(sent.unwrap_or_default()), receives, reason, body }, receipt)
}
