//! Which tools a person has: by profile, room, sender and provider; and that nobody gets by another way what they lack.

use serde_json::json;

use super::house::{House, Plan, ROOM};
use super::provider::{Asked, Speaks, calls, says};

/// Everybody reads and writes; guests may not write, and in the room nobody searches.
async fn house() -> House {
    let plan = Plan::new().provider("claude", Speaks::Anthropic).provider("local", Speaks::OpenAiChat).with(json!({
        "agents": {"entries": {
            "main": {"default": true, "subagents": {"allowAgents": ["helper"]}},
            "helper": {"model": "local/m"},
        }},
        "tools": {
            "profile": "coding",
            "deny": ["group:web"],
            "toolsBySender": {"channel:telegram:7": {}, "*": {"deny": ["write", "edit", "apply_patch", "memory_*"]}},
        },
        "channels": {"telegram": {"groups": {ROOM.to_string(): {"tools": {"deny": ["memory_search", "exec"]}}}}},
    }));
    plan.open().await
}

/// Whether a tool is offered, or told of.
fn knows(asked: &Asked, tool: &str) -> bool {
    asked.body["tools"].to_string().contains(tool)
}

#[tokio::test]
async fn each_is_told_of_the_tools_they_have_and_of_no_others() {
    let house = house().await;
    let claude = house.provider("claude");
    claude.will([says("1"), says("2"), says("3")]);
    house.ada().asks("hi").await;
    house.bob().asks("hi").await;
    house.ada().in_room().asks("hi").await;
    let asked = claude.asked();
    let knows = |tool: &str| asked.iter().map(|asked| knows(asked, tool)).collect::<Vec<_>>();
    assert_eq!(knows("\"read\""), [true, true, true]);
    assert_eq!(knows("\"write\""), [true, false, true]);
    assert_eq!(knows("memory_search"), [true, false, false]);
    assert_eq!(knows("apply_patch"), [true, false, true], "not even by the search");
    assert_eq!(knows("web_fetch"), [false, false, false]);
    assert_eq!(knows("agents_list"), [false, false, false], "not of the profile");
}

/// X22: a guest's sub-agent asks for what the guest may not use, and is told who refuses it.
#[tokio::test]
async fn x22_a_guests_sub_agent_writes_no_file_and_the_owners_does() {
    let house = house().await;
    let (claude, local) = (house.provider("claude"), house.provider("local"));
    let work = || calls("s", "sessions_spawn", &json!({"task": "Write x.txt.", "agentId": "helper"}));
    let write = || calls("w", "write", &json!({"path": "x.txt", "content": "written"}));
    claude.will([work(), says("I asked."), says("It may not.")]);
    local.will([write(), says("I may not.")]);
    let bob = house.bob();
    bob.writes("Have it written.").await;
    assert_eq!(bob.sees(2).await[1].text, "It may not.");
    let told = local.last().told();
    assert!(
        told.contains("may not be used in this conversation: tools.toolsBySender.*.deny does not allow it."),
        "{told}"
    );
    let written = house.file("agents/helper/x.txt");
    assert!(!written.exists());

    claude.will([work(), says("I asked."), says("It is written.")]);
    local.will([write(), says("Written.")]);
    let ada = house.ada();
    ada.writes("Have it written.").await;
    assert_eq!(ada.sees(2).await[1].text, "It is written.");
    assert_eq!(std::fs::read_to_string(written).unwrap(), "written");
}

#[tokio::test]
async fn a_typo_in_deny_is_refused_with_its_line() {
    let house = house().await;
    let file = house.folder.path().join("chela.json5");
    std::fs::write(&file, "{ tools: {\n  deny: [\"exce\"],\n} }").unwrap();
    let checked = house.chela(&["config", "check"]).await;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(!checked.status.success(), "{said}");
    assert!(said.contains(":2:") && said.contains("did you mean \"exec\"?"), "{said}");
}
