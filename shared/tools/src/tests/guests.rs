//! What a guest reaches, and what it does not; the graph, which is the owner's.

use super::*;

/// A turn for somebody who is not the owner.
fn guest(senders: &[&str]) -> Caller {
    Caller { senders: senders.iter().map(|id| (*id).to_owned()).collect(), ..Caller::default() }
}

#[test]
fn a_guests_turn_does_not_reach_what_the_owner_keeps() {
    run(async {
        let mut world = World { caller: guest(&["7"]), ..World::new() };
        let private = ["MEMORY.md", "USER.md", "memory/2026-03-04.md", "memory/people.md", "memory/guests/cd.md"];
        for path in private {
            world.put(path, "HUNTER2 kitten").await;
        }
        for path in private.iter().copied().chain(["memory", "./MEMORY.md", "memory.md", "memory/"]) {
            for (tool, input) in [
                ("read", json!({ "path": path })),
                ("memory_get", json!({ "path": path })),
                ("write", json!({ "path": path, "content": "x" })),
                ("edit", json!({ "path": path, "oldText": "HUNTER2", "newText": "x" })),
            ] {
                let text = world.fails(tool, input).await;
                assert!(text.contains("out of reach") && !text.contains("HUNTER2"), "{tool} {path}: {text}");
            }
        }
        for path in ["SOUL.md", "AGENTS.md", "skills/x/SKILL.md"] {
            world.put(path, "mine").await;
            world.ok("read", json!({ "path": path })).await;
            world.fails("write", json!({ "path": path, "content": "x" })).await;
            world.fails("edit", json!({ "path": path, "oldText": "mine", "newText": "x" })).await;
        }
        // What programs of the owner would load by themselves, and other letters that a disk may take for the same.
        let hidden = [".gitconfig", ".git/hooks/pre-commit", "x/.npmrc", ".env", ".config/git/config", "./.bashrc"];
        for path in hidden.into_iter().chain(["s\u{212a}ills/x/SKILL.md", "\u{17f}oul.md"]) {
            let text = world.fails("write", json!({ "path": path, "content": "x" })).await;
            assert!(text.contains("out of reach"), "{path}: {text}");
        }
        world.ok("write", json!({ "path": "notes.md", "content": "x" })).await;
        let found = world.ok("memory_search", json!({ "query": "kitten HUNTER2" })).await;
        assert!(found.starts_with("Nothing found in 0 notes"), "{found}");
        for action in [json!({ "action": "read_graph" }), json!({ "action": "create_entities", "entities": [] })] {
            assert!(world.fails("memory_graph", action).await.contains("out of reach"));
        }
        world.caller.authority = Authority::Owner;
        assert!(world.ok("read", json!({ "path": "MEMORY.md" })).await.contains("HUNTER2"));
        assert!(world.ok("memory_search", json!({ "query": "kitten" })).await.contains("HUNTER2"));
    });
}

#[test]
fn a_guest_is_shown_no_picture_of_the_owner() {
    run(async {
        let mut world = World { caller: guest(&["7"]), ..World::new() };
        let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n of the owner");
        for path in ["memory/cat.png", "cat.png"] {
            world.files.put(&format!("agents/main/{path}"), png.clone(), Precondition::None).await.unwrap();
        }
        let refused = world.call("read", json!({ "path": "memory/cat.png" })).await;
        assert!(refused.is_error && refused.files.is_empty() && refused.text.contains("out of reach"), "{refused:?}");
        assert_eq!(world.files.list("media/", 10).await.unwrap(), [], "nothing is copied to where it could be seen");
        assert_eq!(world.call("read", json!({ "path": "cat.png" })).await.files.len(), 1);
        world.caller.authority = Authority::Owner;
        assert_eq!(world.call("read", json!({ "path": "memory/cat.png" })).await.files.len(), 1);
    });
}

#[test]
fn what_a_guest_has_noted_is_its_own_and_marked_as_a_guests() {
    run(async {
        let mut world = World { caller: guest(&["7"]), ..World::new() };
        world.put("memory/2026-03-04.md", "# Day\n").await;
        let saved = world.ok("memory_save", json!({ "text": "My kitten is grey.", "topic": "people" })).await;
        assert!(saved.starts_with("Saved in memory/guests/"), "{saved}");
        assert_eq!(
            world.text("memory/2026-03-04.md").await.as_deref(),
            Some("# Day\n"),
            "the owner's day is untouched"
        );
        assert!(world.ok("memory_search", json!({ "query": "kitten" })).await.contains("grey"));
        let own = saved.trim_start_matches("Saved in ").trim_end_matches('.').to_owned();
        assert!(world.ok("memory_get", json!({ "path": own })).await.contains("trust guest"));
        for company in [guest(&["8"]), guest(&["7", "8"]), guest(&[])] {
            world.caller = company;
            let found = world.ok("memory_search", json!({ "query": "kitten" })).await;
            assert!(found.starts_with("Nothing found"), "{found}");
            world.fails("read", json!({ "path": own })).await;
        }
        world.caller = Caller { authority: Authority::Owner, senders: vec!["1".into()], ..Caller::default() };
        let found = world.ok("memory_search", json!({ "query": "kitten" })).await;
        assert!(found.contains("a guest said this") && found.contains("grey"), "{found}");
        let saved = world.ok("memory_save", json!({ "text": "Ada has a dog.", "topic": "people" })).await;
        assert_eq!(saved, "Saved in memory/people.md.");
        let text = world.text("memory/people.md").await.unwrap();
        assert!(text.contains("author owner:") && text.contains("trust owner"), "{text}");
        let found = world.ok("memory_search", json!({ "query": "dog" })).await;
        assert!(!found.contains("guest") && !found.contains("unasked"), "{found}");
    });
}

#[test]
fn a_graph_is_kept_and_lines_of_notes_are_read() {
    run(async {
        let world = World::new();
        let ada = json!({ "name": "Ada", "entityType": "person", "observations": ["likes tea"] });
        let created = world.ok("memory_graph", json!({ "action": "create_entities", "entities": [ada] })).await;
        assert_eq!(created, "1 entities created.");
        assert!(world.ok("memory_graph", json!({ "action": "search_nodes", "query": "tea" })).await.contains("Ada"));
        assert!(world.fails("memory_graph", json!({ "action": "open_nodes" })).await.contains("names"));
        assert!(world.fails("memory_graph", json!({ "action": "drop" })).await.contains("arguments do not fit"));
        world.put("memory/a.md", "one\ntwo\nthree\n").await;
        let lines = world.ok("memory_get", json!({ "path": "memory/a.md", "from": 2, "lines": 1 })).await;
        assert_eq!(lines, "two\n(Lines 2 to 2 of 3. Go on with offset 3.)");
        assert!(world.fails("memory_get", json!({ "path": "SOUL.md" })).await.contains("no note"));
        assert!(world.fails("memory_get", json!({ "path": "memory/none.md" })).await.contains("There is no note"));
    });
}
