//! What an agent finds on its shelf.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::clock::{Clock, Millis};
use chela_core::purse::Shut;
use chela_core::session_key::SessionKey;
use chela_core::tool::{Caller, Tool, ToolAnswer, ToolCall};
use chela_embedded::Embedded;
use chela_skills::install::put;
use chela_skills::{Bundle, Ground, Locked, Shelf, ShelfSettings, SkillTool, listing};
use chela_testkit::clock::ManualClock;
use serde_json::{Value, json};

struct Place {
    clock: Arc<ManualClock>,
    store: Embedded,
    shelf: Arc<Shelf>,
    agent: AgentId,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let store = Embedded::open(folder.path(), clock.clone()).unwrap();
        let shelf = Arc::new(Shelf::new(store.blobs.clone()));
        Self { clock, store, shelf, agent: AgentId::new("main"), _folder: folder }
    }

    async fn put(&self, key: &str, text: &str) {
        self.store.blobs.put(key, Bytes::from(text.to_owned()), Precondition::None).await.unwrap();
        self.clock.advance(31_000);
    }

    async fn skill(&self, folder: &str, name: &str, needs: &str) {
        let text = format!(
            "---\nname: {name}\ndescription: About {folder}.\nmetadata: {{openclaw: {{{needs}}}}}\n---\nBody of {folder}"
        );
        self.put(&format!("{folder}/SKILL.md"), &text).await;
    }

    async fn names(&self, settings: &ShelfSettings) -> Vec<String> {
        let (stock, _) = self.shelf.stock(&self.agent, settings, self.clock.now()).await.unwrap();
        stock.iter().map(|it| format!("{} {}", it.skill.name, it.missing.len())).collect()
    }

    async fn load(&self, settings: &ShelfSettings, input: Value) -> ToolAnswer {
        let tool = SkillTool { shelf: self.shelf.clone(), settings: settings.clone() };
        let (session, caller) = (SessionKey::from_stored("agent:main:main"), Caller::default());
        tool.run(ToolCall {
            again: false,
            post: &chela_core::post::Nowhere,
            input: &input,
            idempotency_key: "k",
            agent: &self.agent,
            session: &session,
            caller: &caller,
            files: self.store.blobs.as_ref(),
            sessions: self.store.sessions.as_ref(),
            directory: self.store.sessions.as_ref(),
            queue: self.store.queue.as_ref(),
            purse: &Shut,
            clock: self.clock.as_ref(),
            status: &Value::Null,
        })
        .await
    }
}

#[tokio::test]
async fn an_agents_own_skills_go_first_and_others_are_not_its() {
    let place = Place::new();
    place.skill("skills/weather", "weather", "").await;
    place.skill("skills/group/deep/tides", "tides", "").await;
    place.skill("agents/main/skills/mine", "weather", "").await;
    place.skill("agents/other/skills/theirs", "theirs", "").await;
    place.skill("skills/a/b/c/d/e/f/g/toodeep", "toodeep", "").await;
    place.skill("skills/weather/inner", "inner", "").await;
    let all = ShelfSettings::default();
    assert_eq!(place.names(&all).await, ["tides 0", "weather 0"]);
    assert_eq!(place.load(&all, json!({"name": "weather"})).await, ToolAnswer::ok("Body of agents/main/skills/mine"));
    let some = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let disabled = ShelfSettings { disabled: some(&["weather"]), ..all.clone() };
    assert_eq!(place.names(&disabled).await, ["tides 0"]);
    let allowed = ShelfSettings { allowed: Some(some(&["weather"])), ..all };
    assert_eq!(place.names(&allowed).await, ["weather 0"]);
}

#[tokio::test]
async fn what_cannot_work_is_neither_offered_nor_loaded() {
    let place = Place::new();
    place.skill("skills/gh", "gh", "requires: {bins: [gh]}").await;
    let bare = ShelfSettings::default();
    let (stock, _) = place.shelf.stock(&place.agent, &bare, place.clock.now()).await.unwrap();
    assert_eq!(listing(&stock), "");
    let refused = place.load(&bare, json!({"name": "gh"})).await;
    assert!(refused.is_error && refused.text.contains("`gh`"), "{refused:?}");
    let ground = Ground { bins: BTreeSet::from(["gh".to_owned()]), ..Ground::default() };
    let equipped = ShelfSettings { ground, ..bare };
    assert!(!place.load(&equipped, json!({"name": "gh"})).await.is_error);
}

#[tokio::test]
async fn a_broken_skill_is_named_and_the_rest_work() {
    let place = Place::new();
    place.put("skills/broken/SKILL.md", "no head").await;
    place.skill("skills/fine", "fine", "").await;
    let (stock, problems) =
        place.shelf.stock(&place.agent, &ShelfSettings::default(), place.clock.now()).await.unwrap();
    assert_eq!(stock.len(), 1);
    assert!(problems[0].starts_with("skills/broken: SKILL.md begins"), "{problems:?}");
}

#[tokio::test]
async fn a_pinned_skill_that_changed_is_not_followed() {
    let place = Place::new();
    let mut bundle = Bundle::default();
    bundle.add("SKILL.md", Bytes::from("---\nname: w\ndescription: d\n---\nBody")).unwrap();
    bundle.add("refs/a.md", Bytes::from("good")).unwrap();
    let locked = Locked::of(&bundle, "x", "2026-11-21T00:00:00Z", vec![]);
    put(place.store.blobs.as_ref(), "skills/", "w", &bundle, locked).await.unwrap();
    let all = ShelfSettings::default();
    assert_eq!(place.load(&all, json!({"name": "w", "file": "refs/a.md"})).await, ToolAnswer::ok("good"));
    place.put("skills/w/refs/a.md", "evil").await;
    place.put("skills/w/added.md", "evil").await;
    for file in ["refs/a.md", "added.md"] {
        let refused = place.load(&all, json!({"name": "w", "file": file})).await;
        assert!(refused.is_error && refused.text.contains("verify"), "{file}: {refused:?}");
    }
    place.put("skills/w/SKILL.md", "---\nname: w\ndescription: d\n---\nEvil").await;
    assert_eq!(place.names(&all).await, Vec::<String>::new());
    place.put("skills/lock.json", "{").await;
    assert!(place.shelf.stock(&place.agent, &all, place.clock.now()).await.is_err(), "a damaged lock shuts the shelf");
}

#[tokio::test]
async fn files_outside_the_skill_are_out_of_reach() {
    let place = Place::new();
    place.skill("skills/fine", "fine", "").await;
    place.put("config/chela.json5", "secret").await;
    for file in ["../../config/chela.json5", "/etc/passwd", "..", ""] {
        let refused = place.load(&ShelfSettings::default(), json!({"name": "fine", "file": file})).await;
        assert!(refused.is_error, "{file}: {refused:?}");
    }
    assert!(place.load(&ShelfSettings::default(), json!({"name": "none"})).await.text.contains("There are: fine."));
    assert!(place.load(&ShelfSettings::default(), json!({})).await.is_error);
}
