//! Commands: what `/help` lists is answered, without a model where it says so; guests are refused what is the owner's.

use super::house::{House, Plan};
use super::provider::{Speaks, says};

async fn house() -> House {
    let house = Plan::new().provider("claude", Speaks::Anthropic).open().await;
    house.provider("claude").otherwise(|_| says("From the model."));
    house
}

/// The commands that `/commands` lists, with their slashes, in its order.
fn listed(html: &str) -> Vec<String> {
    let usages = html.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
    usages.map(|usage| usage.split_whitespace().next().unwrap().to_owned()).collect()
}

/// The same of `/help`, whose lines begin with them.
fn listed_plainly(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with('/'));
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// What one writes behind a command that needs more, and a word of its answer.
const ANSWERS: [(&str, &str, &str); 23] = [
    ("/status", "", "<b>Model</b>"),
    ("/help", "", "/status"),
    ("/commands", "", "/status"),
    ("/whoami", "", "7"),
    ("/context", "", "<b>System prompt</b>"),
    ("/usage", "", "<b>Today</b>"),
    ("/model", "", "claude/m"),
    ("/models", "", "claude/m"),
    ("/think", "high", "high"),
    ("/verbose", "on", "on"),
    ("/memory", "save Quince is a cat", "memory/"),
    ("/skill", "", "/skill"),
    ("/subagents", "", "sub-agent"),
    ("/agents", "", "main"),
    ("/approve", "1 allow-once", "waits"),
    ("/deny", "1", "waits"),
    ("/approvals", "", "Nothing waits"),
    ("/name", "Planning", "now called"),
    ("/activation", "", "for rooms"),
    ("/queue", "steer", "steer"),
    ("/stop", "", "Stopped"),
    ("/new", "", "A new conversation begins here."),
    ("/reset", "", "as it is configured"),
];

#[tokio::test]
async fn every_command_of_the_help_is_answered() {
    let house = house().await;
    let ada = house.ada();
    assert_eq!(ada.asks("Hello.").await, "From the model.");
    let commands = ada.asks("/commands").await;
    let mut untold = listed(&commands);
    assert!(untold.len() > 20, "{commands}");
    // The one that answers with a file.
    assert!(ada.exports("md").await.contains("From the model."));
    untold.retain(|word| word != "/export");
    for (command, rest, expected) in ANSWERS {
        let told = ada.asks(format!("{command} {rest}").trim()).await;
        assert!(told.contains(expected) && told != "From the model.", "{command} {rest}: {told}");
        untold.retain(|word| word != command);
    }
    // Its answer takes a model, and is told in `context.rs`.
    assert_eq!(untold, ["/compact"], "listed and not in this story");
    let help = listed_plainly(&ada.asks("/help").await);
    assert!(help.len() > 5 && help.iter().all(|word| listed(&commands).contains(word)), "{help:?}");
    assert_eq!(house.provider("claude").asked().len(), 1, "commands are answered without a model");
}

#[tokio::test]
async fn a_guest_is_refused_what_is_the_owners_and_changes_nothing() {
    let house = house().await;
    let (ada, bob) = (house.ada(), house.bob());
    assert_eq!(bob.asks("Hello.").await, "From the model.");
    let (of_owner, of_guest) = (listed(&ada.asks("/commands").await), listed(&bob.asks("/commands").await));
    for command in &of_owner {
        let told = bob.asks(command).await;
        let refused = told.contains("is for my owner here");
        assert_eq!(refused, !of_guest.contains(command), "{command} to a guest: {told}");
    }
    assert!(of_guest.contains(&"/status".to_owned()) && !of_guest.contains(&"/usage".to_owned()), "{of_guest:?}");
    bob.asks("/model claude/m").await;
    assert!(!bob.asks("/status").await.contains("chosen"), "nothing was chosen");
    // In a room where others take part even a beginning afresh is the owner's.
    let room = house.bob().in_room();
    assert!(room.asks("/new").await.contains("is for my owner here"));
    assert_eq!(house.provider("claude").asked().len(), 1);
}

#[tokio::test]
async fn what_is_chosen_holds_for_the_conversation_and_what_stands_before_a_message_for_that_alone() {
    let house = house().await;
    let (ada, claude) = (house.ada(), house.provider("claude"));
    let effort = || claude.last().body["thinking"]["budget_tokens"].as_u64();
    ada.asks("One.").await;
    assert_eq!(effort(), None);
    ada.asks("/think low").await;
    ada.asks("Two.").await;
    let low = effort().unwrap();
    ada.asks("/think high three.").await;
    let high = effort().unwrap();
    assert!(high > low, "{high} {low}");
    assert!(!claude.last().told().contains("/think"), "the model gets the words alone");
    ada.asks("Four.").await;
    assert_eq!(effort(), Some(low));
    ada.asks("/new").await;
    ada.asks("Five.").await;
    let told = claude.last().told();
    assert!(!told.contains("Four.") && effort() == Some(low), "forgotten, and still chosen: {told}");
    ada.asks("/reset").await;
    ada.asks("Six.").await;
    assert_eq!(effort(), None);
}
