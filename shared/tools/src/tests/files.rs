//! `apply_patch`, `ls`, `find`, `grep`, and the one kind of path.

use super::*;
use crate::text_file::TextFile;

fn patch(body: &str) -> Value {
    json!({ "input": format!("*** Begin Patch\n{body}\n*** End Patch") })
}

#[test]
fn a_patch_changes_all_its_files_or_none() {
    run(async {
        let world = World::new();
        world.put("a.md", "one\ntwo\n").await;
        world.put("b.md", "x\n").await;
        let both = "*** Update File: a.md\n@@\n-two\n+2\n*** Add File: new/c.md\n+c\n*** Update File: b.md\n-x\n+y";
        assert_eq!(world.ok("apply_patch", patch(both)).await, "Updated a.md\nUpdated b.md\nAdded new/c.md");
        let texts = [world.text("a.md").await, world.text("b.md").await, world.text("new/c.md").await];
        assert_eq!(texts.map(Option::unwrap), ["one\n2\n", "y\n", "c\n"]);
        for body in [
            "*** Update File: a.md\n-one\n+1\n*** Update File: b.md\n-no\n+z",
            "*** Update File: a.md\n-one\n+1\n*** Add File: b.md\n+z",
            "*** Update File: a.md\n-one\n+1\n*** Update File: ../other/SOUL.md\n-x\n+z",
            "*** Update File: a.md\n-one\n+1\n*** Add File: /etc/cron.d/x\n+z",
            "*** Update File: a.md\n-one\n+1\n*** Add File: index/x\n+z",
            "*** Update File: a.md\n-one\n+1\n*** Update File: A.md\n-one\n+2",
            "*** Update File: a.md\n-one\n+1\n*** Delete File: nothing.md",
            "*** Update File: a.md\n-one\n+1\n*** Delete File: ../other/SOUL.md",
            "*** Update File: a.md\n-one\n+1\n*** Delete File: A.md",
            "*** Update File: a.md\n*** Move to: b.md\n-one\n+1",
            "*** Update File: a.md\n*** Move to: ../other/a.md\n-one\n+1",
            "*** Update File: a.md\n-one\n+1\n*** Update File: nothing.md\n-x\n+z",
        ] {
            world.fails("apply_patch", patch(body)).await;
            assert_eq!(world.text("a.md").await.unwrap(), "one\n2\n", "{body}");
        }
    });
}

#[test]
fn a_patch_that_meets_somebody_elses_change_is_taken_back() {
    run(async {
        let world = World::new();
        world.put("a.md", "one\n").await;
        world.put("b.md", "x\n").await;
        let busy = Busy { files: &world.files, key: "agents/main/b.md", times: AtomicUsize::new(1) };
        let body = patch("*** Update File: a.md\n-one\n+1\n*** Update File: b.md\n-x\n+y");
        let answer = world.call_on(&busy, "apply_patch", body, "key").await;
        assert!(answer.is_error && answer.text.ends_with("Nothing was changed."), "{}", answer.text);
        assert_eq!(world.text("a.md").await.unwrap(), "one\n");
        assert_eq!(world.text("b.md").await.unwrap(), "x\ntheirs\n");
    });
}

#[test]
fn a_patch_deletes_and_moves() {
    run(async {
        let world = World::new();
        for name in ["a.md", "b.md", "c.md"] {
            world.put(name, "one\ntwo\n").await;
        }
        let body = "*** Delete File: a.md\n*** Update File: b.md\n*** Move to: new/b.md\n@@\n-two\n+2\n\
                    *** Update File: c.md\n*** Move to: d.md";
        let said = world.ok("apply_patch", patch(body)).await;
        assert_eq!(said, "Added new/b.md\nAdded d.md\nDeleted a.md\nDeleted b.md\nDeleted c.md");
        for (name, text) in [("a.md", None), ("b.md", None), ("c.md", None), ("new/b.md", Some("one\n2\n"))] {
            assert_eq!(world.text(name).await.as_deref(), text, "{name}");
        }
        assert_eq!(world.text("d.md").await.as_deref(), Some("one\ntwo\n"));
    });
}

/// What was done before a removal met somebody else's change is undone, new files and removed ones too.
#[test]
fn a_patch_that_deletes_is_taken_back_whole() {
    run(async {
        let world = World::new();
        for name in ["a.md", "b.md", "z.md"] {
            world.put(name, "one\n").await;
        }
        let busy = Busy { files: &world.files, key: "agents/main/z.md", times: AtomicUsize::new(1) };
        let body =
            "*** Add File: new.md\n+x\n*** Update File: a.md\n-one\n+1\n*** Delete File: b.md\n*** Delete File: z.md";
        let answer = world.call_on(&busy, "apply_patch", patch(body), "key").await;
        assert!(answer.is_error && answer.text.ends_with("Nothing was changed."), "{}", answer.text);
        for (name, text) in [("a.md", Some("one\n")), ("b.md", Some("one\n")), ("new.md", None)] {
            assert_eq!(world.text(name).await.as_deref(), text, "{name}");
        }
        assert_eq!(world.text("z.md").await.as_deref(), Some("one\ntheirs\n"));
    });
}

#[test]
fn files_are_listed_found_and_searched() {
    run(async {
        let world = World::new();
        world.put("SOUL.md", "I am Chela.\n").await;
        world.put("notes/a.md", "Ada likes tea.\nBob does not.\n").await;
        world.put("notes/deep/b.txt", "ada again").await;
        world.put("index/memory.sqlite", "Ada").await;
        assert_eq!(world.ok("ls", json!({})).await, "SOUL.md  12\nnotes/");
        assert_eq!(world.ok("ls", json!({"path": "notes/"})).await, "a.md  29\ndeep/");
        assert!(world.fails("ls", json!({"path": "index"})).await.contains("not a path"));
        assert_eq!(world.ok("find", json!({"pattern": "*.md"})).await, "SOUL.md\nnotes/a.md");
        assert_eq!(world.ok("find", json!({"pattern": "deep/*", "path": "notes"})).await, "notes/deep/b.txt");
        assert!(world.ok("find", json!({"pattern": "*.sqlite"})).await.contains("No file"));
        assert_eq!(
            world.ok("grep", json!({"pattern": "(?i)ada"})).await,
            "notes/a.md:1: Ada likes tea.\nnotes/deep/b.txt:1: ada again"
        );
        assert_eq!(
            world.ok("grep", json!({"pattern": "ADA", "ignoreCase": true, "glob": "*.txt"})).await,
            "notes/deep/b.txt:1: ada again"
        );
        assert_eq!(
            world.ok("grep", json!({"pattern": "Bob", "path": "notes/a.md"})).await,
            "notes/a.md:2: Bob does not."
        );
        assert!(world.fails("grep", json!({"pattern": "("})).await.contains("regular expression"));
        assert!(world.ok("grep", json!({"pattern": "nobody"})).await.contains("No line"));
    });
}

#[test]
fn answers_about_many_files_end() {
    run(async {
        let world = World::new();
        for n in 0..260 {
            world.put(&format!("f{n:03}.md"), "line\nline\n").await;
        }
        let found = world.ok("find", json!({"pattern": "*"})).await;
        assert!(found.lines().count() == 201 && found.ends_with("folder.)"));
        let lines = world.ok("grep", json!({"pattern": "line"})).await;
        assert!(lines.lines().count() == 201 && lines.ends_with("folder.)"));
    });
}

#[test]
fn guests_neither_list_nor_search_what_they_may_not_read() {
    run(async {
        let mut world = World::new();
        world.put("MEMORY.md", "secret").await;
        world.put("memory/2026-01-01.md", "secret").await;
        world.put("AGENTS.md", "public").await;
        world.caller.authority = Authority::Guest;
        assert_eq!(world.ok("ls", json!({})).await, "AGENTS.md  6");
        assert_eq!(world.ok("find", json!({"pattern": "**"})).await, "AGENTS.md");
        assert!(world.ok("grep", json!({"pattern": "secret"})).await.contains("No line"));
        world.fails("grep", json!({"pattern": "secret", "path": "memory"})).await;
        world.fails("apply_patch", patch("*** Update File: MEMORY.md\n-secret\n+x")).await;
    });
}

#[test]
fn p01_no_string_gets_out_of_the_workspace() {
    let world = World::new();
    let input = json!({});
    let call = ToolCall {
        again: false,
        post: &chela_core::post::Nowhere,
        input: &input,
        idempotency_key: "key",
        agent: &world.agent,
        session: &world.session,
        caller: &world.caller,
        files: &world.files,
        sessions: world.elsewhere.sessions.as_ref(),
        directory: world.elsewhere.sessions.as_ref(),
        queue: world.elsewhere.queue.as_ref(),
        purse: &Shut,
        clock: &world.clock,
        status: &world.status,
    };
    let paths = "\\PC{0,30}|[./\\\\~:a%\0\n]{0,14}|(\\.\\./|/|a/|\\./|index/|INDEX/){0,6}";
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(20_000));
    let checked = runner.run(&paths, |path| {
        if let Ok(file) = TextFile::to_write(&call, &path) {
            let inside = std::path::Path::new("agents/main").join(&file.path);
            let plain = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            prop_assert!(plain && inside.starts_with("agents/main") && inside.components().count() > 2);
            let lower = file.path.to_lowercase();
            prop_assert!(!lower.starts_with("index/") && lower != "index");
        }
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn p01_nothing_outside_the_workspace_is_reached() {
    run(async {
        let world = World::new();
        let secret = Bytes::from_static(b"HUNTER");
        for key in ["config/chela.json5", "agents/other/SOUL.md", "agents/main/index/memory.sqlite", "SOUL.md"] {
            world.files.put(key, secret.clone(), Precondition::None).await.unwrap();
        }
        world.put("a.md", "one\n").await;
        let paths = [
            "../other/SOUL.md",
            "../../../../proc/self/environ",
            "../../other-tenant/MEMORY.md",
            "/etc/passwd",
            "a/../../other/SOUL.md",
            "..",
            ".",
            "",
            " ",
            "a//b",
            "a\\b",
            "a\0b",
            "~/.ssh/id",
            "C:/x",
            "../../config/chela.json5",
            "./../x",
            "index/memory.sqlite",
            "INDEX/memory.sqlite",
            "./index/memory.sqlite",
            "index",
            "a/./b",
            "file:x",
            "//x",
            ".//x",
        ];
        for path in paths {
            for (tool, input) in [
                ("read", json!({ "path": path })),
                ("memory_get", json!({ "path": path })),
                ("write", json!({ "path": path, "content": "x" })),
                ("edit", json!({ "path": path, "oldText": "HUNTER", "newText": "x" })),
            ] {
                let text = world.fails(tool, input).await;
                assert!(
                    !text.contains("HUNTER") && text.contains("not a path in your workspace"),
                    "{tool} {path:?}: {text}"
                );
            }
            if path.trim().trim_matches('.').is_empty() || path.contains('\0') {
                continue; // The whole workspace, where a folder is named.
            }
            let body = |change: String| patch(&format!("{change}\n+x"));
            for (tool, input) in [
                ("ls", json!({ "path": path })),
                ("find", json!({ "pattern": "**", "path": path })),
                ("grep", json!({ "pattern": "HUNTER", "path": path })),
                ("apply_patch", body(format!("*** Add File: {path}"))),
                ("apply_patch", body(format!("*** Update File: {path}"))),
                ("apply_patch", patch(&format!("*** Delete File: {path}"))),
                ("apply_patch", patch(&format!("*** Update File: a.md\n*** Move to: {path}\n-one\n+two"))),
            ] {
                let text = world.fails(tool, input).await;
                assert!(!text.contains("HUNTER") && text.contains("not a path"), "{tool} {path:?}: {text}");
            }
        }
        assert!(world.ok("find", json!({ "pattern": "../../**" })).await.contains("No file"));
        assert!(world.ok("find", json!({ "pattern": "**/../**" })).await.contains("No file"));
        let listed = world.files.list("", 100).await.unwrap();
        assert_eq!(listed.len(), 5, "{listed:?}");
    });
}

#[test]
fn a_picture_is_shown_as_it_is_now_and_whatever_it_is_called() {
    run(async {
        let world = World::new();
        let store = async |path: &str, bytes: Vec<u8>| {
            world.files.put(&format!("agents/main/{path}"), bytes.into(), Precondition::None).await.unwrap();
        };
        let png = |say: &str| [b"\x89PNG\r\n\x1a\n", say.as_bytes()].concat();
        let read = async |path: &str| world.call("read", json!({ "path": path })).await;
        store("pictures/cat.txt", png("cat")).await;
        let first = read("pictures/cat.txt").await;
        assert_eq!((first.text.as_str(), first.is_error), ("pictures/cat.txt (image/png, 11 bytes)", false));
        let [seen] = &first.files[..] else { panic!("one file") };
        assert!(seen.key.starts_with("media/main/") && seen.key.ends_with(".png") && seen.content_type == "image/png");
        assert_eq!(read("pictures/cat.txt").await, first, "the same once more");
        store("pictures/cat.txt", png("dog")).await;
        let second = read("pictures/cat.txt").await;
        assert_ne!(second.files[0].key, seen.key);
        assert_eq!(world.files.get(&seen.key).await.unwrap().unwrap().bytes, png("cat"), "what was seen stays");
        store("a.pdf", b"%PDF-1.7 text".to_vec()).await;
        assert_eq!(read("a.pdf").await.files[0].content_type, "application/pdf");
        store("big.jpg", [&[0xff, 0xd8, 0xff][..], &vec![0; 4 * 1024 * 1024]].concat()).await;
        let big = read("big.jpg").await;
        assert!(big.is_error && big.files.is_empty() && big.text.contains("at most 3932160"), "{big:?}");
        store("photo.heic", b"\0\0\0\x18ftypheic".to_vec()).await;
        assert!(read("photo.heic").await.text.contains("not a text file"));
    });
}
