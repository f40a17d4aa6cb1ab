//! Bodies nobody ever posted.

use bytes::Bytes;
use chela_core::message::Inbound;
use serde_json::{Value, json};

use super::ChannelUnderTest;

/// How many mutated bodies are tried; `CHELA_FUZZ` names another number, which `make fuzz` puts at millions.
const MUTATIONS: usize = 2_000;

/// Bodies made from the samples by many small changes at once: parts of one in another, fields doubled, dropped, retyped,
/// texts with every kind of odd character. They are read, or refused, in bounded time.
pub async fn mutated_bodies_never_panic(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    let rounds = std::env::var("CHELA_FUZZ").ok().and_then(|number| number.parse().ok()).unwrap_or(MUTATIONS);
    let samples: Vec<Bytes> = subject.samples().into_iter().map(|sample| sample.body).collect();
    let values: Vec<Value> = samples.iter().filter_map(|body| serde_json::from_slice(body).ok()).collect();
    let mut dice = Dice::new(subject.descriptor.id);
    for _ in 0..rounds {
        let body: Vec<u8> = if !values.is_empty() && dice.roll(4) > 0 {
            let mut value = values[dice.roll(values.len())].clone();
            for _ in 0..=dice.roll(6) {
                let donor = values[dice.roll(values.len())].clone();
                mutate(&mut value, &mut dice, &donor);
            }
            value.to_string().into_bytes()
        } else {
            let mut body = samples[dice.roll(samples.len())].to_vec();
            for _ in 0..=dice.roll(8) {
                mutate_bytes(&mut body, &mut dice, &samples);
            }
            body
        };
        if let Ok(parsed) = subject.read(&*channel, &body) {
            // Whatever was read can be stored and told.
            for message in &parsed.messages {
                let stored = serde_json::to_string(message).unwrap();
                assert_eq!(serde_json::from_str::<Inbound>(&stored).unwrap(), *message);
                assert!(!message.event_id.is_empty() && !message.peer.id.is_empty() && !message.sender.id.is_empty());
            }
        }
    }
}

/// Xorshift from a seed that is the channel's name, so that a failure is the same failure tomorrow.
struct Dice(u64);

impl Dice {
    fn new(name: &str) -> Self {
        Self(
            name.bytes()
                .fold(0x9e37_79b9_7f4a_7c15, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % sides.max(1) as u64).unwrap()
    }
}

const ODD_TEXTS: &[&str] = &[
    "",
    " ",
    "\0",
    "\u{202e}abc",
    "😀👩‍👩‍👧",
    "<@1>",
    "<at>x</at>",
    "@",
    "/",
    "//stop",
    "a:b:c",
    "..",
    "%00%ff",
    "http://[::1]/",
    "https://user:pw@x/",
    "-1",
    "9223372036854775808",
    "1e999",
    "2026-13-45T99:99:99Z",
    "true",
    "null",
    "[]",
    "{}",
    "&amp;<>\"'",
];

fn mutate(value: &mut Value, dice: &mut Dice, donor: &Value) {
    let nodes = count(value);
    let mut at = dice.roll(nodes);
    let change = dice.roll(8);
    let (text, number) = (ODD_TEXTS[dice.roll(ODD_TEXTS.len())], dice.roll(usize::MAX / 2));
    let part = nth(donor, dice.roll(count(donor))).cloned().unwrap_or_default();
    walk(value, &mut at, &mut |node| match change {
        0 => *node = json!(text),
        1 => *node = json!(number),
        2 => *node = Value::Null,
        3 => *node = part.clone(),
        4 => {
            if let Value::Object(fields) = node
                && let Some(key) = fields.keys().nth(number % fields.len().max(1)).cloned()
            {
                fields.shift_remove(&key);
            }
        }
        5 => {
            if let Value::Array(items) = node {
                items.push(part.clone());
            } else {
                *node = json!([node.take()]);
            }
        }
        6 => {
            if let Value::String(old) = node {
                let cut = old.char_indices().nth(number % (old.chars().count() + 1)).map_or(old.len(), |(at, _)| at);
                let (before, after) = old.split_at(cut);
                *node = json!(format!("{before}{text}{after}"));
            } else {
                *node = json!(-1.5e300);
            }
        }
        _ => {
            if let Value::Object(fields) = node {
                fields.extend(part.as_object().cloned().unwrap_or_default());
            }
        }
    });
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        _ => 0,
    }
}

fn nth(value: &Value, at: usize) -> Option<&Value> {
    if at == 0 {
        return Some(value);
    }
    let mut left = at - 1;
    let inner: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => vec![],
    };
    for item in inner {
        let size = count(item);
        if left < size {
            return nth(item, left);
        }
        left -= size;
    }
    None
}

/// Changes the `left`th value, counted in reading order.
pub(super) fn walk(value: &mut Value, left: &mut usize, change: &mut dyn FnMut(&mut Value)) -> bool {
    if *left == 0 {
        change(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().any(|inner| walk(inner, left, change)),
        Value::Array(items) => items.iter_mut().any(|inner| walk(inner, left, change)),
        _ => false,
    }
}

fn mutate_bytes(body: &mut Vec<u8>, dice: &mut Dice, samples: &[Bytes]) {
    let at = dice.roll(body.len() + 1);
    match dice.roll(5) {
        0 if at < body.len() => body[at] = u8::try_from(dice.roll(256)).unwrap(),
        1 => {
            let end = (at + dice.roll(16)).min(body.len());
            body.drain(at.min(end)..end);
        }
        2 => {
            let donor = &samples[dice.roll(samples.len())];
            let from = dice.roll(donor.len() + 1);
            let to = (from + dice.roll(64)).min(donor.len());
            body.splice(at..at, donor[from..to].iter().copied());
        }
        3 => {
            let text = ODD_TEXTS[dice.roll(ODD_TEXTS.len())];
            body.splice(at..at, text.bytes());
        }
        _ => body.truncate(at),
    }
}
