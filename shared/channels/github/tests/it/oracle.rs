//! gidgethub as the judge of signatures, and GitHub's own cmark as the reader of what we write.

use crate::account::{address, at, samples, with};
use chela_channel_github::SIMULATOR;
use chela_testkit::laws::channel::oracle::ask;
use chela_testkit::laws::channel::platform::Platform;
use chela_testkit::laws::channel::{ARRIVAL, part, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::subject::manners;

const SECRET: &str = "simulator-webhook-secret";

/// Signs as octokit does (a line of its own, for gidgethub only verifies), and says what gidgethub makes of requests.
const JUDGE: &str = r#"
import hashlib, hmac, json, sys
from gidgethub import sansio, ValidationFailure

answers = []
for question in json.load(sys.stdin):
    body = bytes.fromhex(question["body"])
    secret = question["secret"]
    if "headers" in question:
        try:
            event = sansio.Event.from_http(question["headers"], body, secret=secret)
            answers.append(event.event)
        except ValidationFailure:
            answers.append(None)
    else:
        answers.append("sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())
json.dump(answers, sys.stdout)
"#;

/// Renders with cmark-gfm, raw HTML and all, and looks in the result where GitHub's filters look: at text that is not in
/// code or in a link.
const READER: &str = r#"
import json, re, sys
from html.parser import HTMLParser
import cmarkgfm
from cmarkgfm.cmark import Options

MENTION = re.compile(r"(?:^|[^a-zA-Z0-9_`])@[a-z0-9]", re.I)
NUMBER = re.compile(r"(?:#|gh-)\d", re.I)
KNOWN = set("p h1 h2 h3 h4 h5 h6 ul ol li input blockquote pre code em strong del a table thead tbody tr th td br hr sup section".split())

class Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.quiet, self.acts, self.tags, self.text = 0, [], set(), []
    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.quiet += tag in ("code", "pre", "a")
        self.text.append("")
    def handle_endtag(self, tag):
        self.quiet -= tag in ("code", "pre", "a")
        self.text.append("")
    def handle_comment(self, data):
        self.tags.add("!--")
    def handle_data(self, data):
        self.text.append(data)
        if not self.quiet:
            self.acts += MENTION.findall(data) + NUMBER.findall(data)

answers = []
for markdown in json.load(sys.stdin):
    reader = Reader()
    reader.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))
    reader.close()
    answers.append({"acts": reader.acts, "foreign": sorted(reader.tags - KNOWN)})
json.dump(answers, sys.stdout)
"#;

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put(questions: &[Value]) -> Vec<Value> {
    ask(JUDGE, &json!(questions)).as_array().unwrap().clone()
}

fn headers(event: &str, signature: &str) -> HeaderMap {
    let pairs = [("x-github-event", event), ("x-hub-signature-256", signature)];
    HeaderMap::from_iter(
        pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())),
    )
}

fn question(body: &[u8], event: &str, signature: &str) -> Value {
    let headers = json!({
        "x-github-event": event, "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "content-type": "application/json", "x-hub-signature-256": signature,
    });
    json!({"secret": SECRET, "body": hex(body), "headers": headers})
}

#[test]
fn gidgethub_and_we_take_the_same_and_refuse_the_same() {
    let channel = with(json!({}));
    let bodies = samples();
    let sign: Vec<Value> = bodies.iter().map(|(_, body)| json!({"secret": SECRET, "body": hex(body)})).collect();
    let mut tries = Vec::new();
    for ((_, body), signature) in bodies.iter().zip(put(&sign)) {
        let ours = (SIMULATOR.sign_sample)(body, &SIMULATOR.test_secrets(), ARRIVAL);
        let event = ours["x-github-event"].to_str().unwrap().to_owned();
        let signature = signature.as_str().unwrap().to_owned();
        assert_eq!(ours["x-hub-signature-256"], signature.as_str(), "the simulator signs alike");
        tries.push((true, body.to_vec(), event.clone(), signature.clone()));
        for at in (0..body.len()).step_by(97) {
            let mut flipped = body.to_vec();
            flipped[at] ^= 1;
            tries.push((false, flipped, event.clone(), signature.clone()));
        }
        let mut flipped = signature.clone();
        let last = flipped.pop();
        flipped.push(if last == Some('0') { '1' } else { '0' });
        tries.push((false, body.to_vec(), event, flipped));
    }
    assert!(tries.len() > 300, "{}", tries.len());
    let questions: Vec<Value> =
        tries.iter().map(|(_, body, event, signature)| question(body, event, signature)).collect();
    for (at, ((genuine, body, event, signature), theirs)) in tries.iter().zip(put(&questions)).enumerate() {
        let ours = channel.verify(request(headers(event, signature), body)).is_ok();
        assert_eq!((ours, !theirs.is_null()), (*genuine, *genuine), "{at} {event}: {theirs}");
    }
}

/// The words that are put together at random: everything that acts, hides, or changes what is code.
const WORDS: [&str; 40] = [
    "@octocat",
    "@org/team",
    "#1",
    "o/r#2",
    "GH-3",
    "gh-4",
    "&#64;evil",
    "@&#101;vil",
    "&#35;5",
    "&commat;eve",
    "![a](https://e.com/x)",
    "![](u)",
    "![a][r]",
    "[r]: https://e.com/@x",
    "<img src=x>",
    "<b>",
    "</b>",
    "<div>",
    "</div>",
    "<!--",
    "-->",
    "<?php",
    "?>",
    "`",
    "``",
    "\n```\n",
    "\n~~~\n",
    "\n\n",
    "\n",
    "\n    ",
    "\n> ",
    "\n- ",
    "\n1. ",
    "\\",
    "|a|b|\n|-|-|\n",
    "https://e.com/@x#6",
    "<https://e.com/@x>",
    "*",
    "word",
    "[^1]",
];

#[tokio::test]
async fn nothing_we_write_acts_on_anybody_in_githubs_own_reader() {
    let platform = Platform::start(manners).await;
    let channel = at(platform.url());
    let to = address("o/r#1", None, None);
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % sides as u64).unwrap()
    };
    let mut texts: Vec<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
    for _ in 0..1500 {
        let words: Vec<&str> = (0..2 + roll(10)).map(|_| WORDS[roll(WORDS.len())]).collect();
        texts.push(words.join(["", " "][roll(2)]));
    }
    let mut written = Vec::new();
    for text in &texts {
        channel.send(&part(&to, text)).await.unwrap();
        written.push(platform.take().remove(0).json()["body"].clone());
    }
    let before = ask(READER, &json!(texts));
    let acted = before.as_array().unwrap().iter().filter(|said| said["acts"] != json!([])).count();
    assert!(acted > 300, "the control: untouched, only {acted} act");
    let wrong: Vec<String> = texts
        .iter()
        .zip(&written)
        .zip(ask(READER, &json!(written)).as_array().unwrap())
        .filter(|(_, said)| **said != json!({"acts": [], "foreign": []}))
        .map(|((text, written), said)| format!("{text:?} became {written}: {said}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), texts.len(), wrong[..wrong.len().min(12)].join("\n"));
}
