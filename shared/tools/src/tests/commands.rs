//! `exec` and `process`, over a sandbox of the test: what real ones hold is tested where they are.

use std::time::Duration;

use chela_archive::{Limits, from_text, to_text};
use chela_core::sandbox::{CommandRequest, CommandResult, Hear, Sandbox, SandboxError};

use super::*;

/// Answers with its arguments, and gives back each file it was given with a line more, and one new; removes `gone.md`, and
/// says so of a file it never saw.
struct Scripted {
    stays: bool,
    slow: Duration,
    asked: Mutex<Vec<CommandRequest>>,
}

#[async_trait]
impl Sandbox for Scripted {
    async fn run(&self, request: &CommandRequest) -> Result<CommandResult, SandboxError> {
        self.asked.lock().unwrap().push(request.clone());
        tokio::time::sleep(self.slow).await;
        let limits = Limits { entries: 100, file_bytes: 1000, total_bytes: 10_000 };
        let given = from_text(&request.archive, limits).unwrap();
        let mut files: Vec<(String, Vec<u8>)> = given
            .iter()
            .filter(|(name, _)| name.as_str() != "gone.md")
            .map(|(name, bytes)| (name.clone(), [bytes.as_ref(), b"more\n"].concat()))
            .collect();
        files.push(("out/new.txt".into(), b"new".to_vec()));
        let archive = match request.argv.last().map(String::as_str) {
            Some("evil") => "H4sI no archive".to_owned(),
            Some("index") => to_text([("index/memory.sqlite", &b"x"[..])]).unwrap(),
            _ => to_text(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap(),
        };
        let stdout = request.argv.join(" ");
        Ok(CommandResult {
            exit_code: Some(0),
            stdout,
            archive,
            removed: vec!["gone.md".into(), "SOUL.md".into()],
            ..CommandResult::default()
        })
    }

    async fn run_aloud(&self, request: &CommandRequest, hear: &Hear<'_>) -> Result<CommandResult, SandboxError> {
        hear("line 0\nline 1\nline ");
        let result = self.run(request).await;
        hear("2\n");
        result
    }

    fn outlives_a_turn(&self) -> bool {
        self.stays
    }
}

fn world(stays: bool) -> (World, Arc<Scripted>) {
    slow_world(stays, if stays { 50 } else { 0 })
}

fn slow_world(stays: bool, milliseconds: u64) -> (World, Arc<Scripted>) {
    let slow = Duration::from_millis(milliseconds);
    let sandbox = Arc::new(Scripted { stays, slow, asked: Mutex::default() });
    let mut world = World::new();
    world.settings.exec = Some(ExecSettings { sandbox: Ok(sandbox.clone()), runs: Arc::default() });
    (world, sandbox)
}

fn alone<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn names(world: &World) -> Vec<String> {
    all(&world.settings).iter().map(|tool| tool.spec().name).collect()
}

#[test]
fn files_go_in_and_come_back_and_the_index_does_neither() {
    alone(async {
        let (world, sandbox) = world(false);
        world.put("a.md", "one\n").await;
        world.put("sub/b.md", "b\n").await;
        world.put("gone.md", "x").await;
        world.put("index/memory.sqlite", "old").await;
        let said = world.ok("exec", json!({"command": "echo hi"})).await;
        assert!(said.starts_with("exit code 0") && said.contains("stdout:\nbash -c 'echo' 'hi'"), "{said}");
        assert!(said.contains("Files made or changed: a.md, sub/b.md, out/new.txt."), "{said}");
        assert!(said.contains("Files removed: gone.md."), "{said}");
        assert_eq!(world.text("gone.md").await, None);
        assert_eq!(world.text("a.md").await.unwrap(), "one\nmore\n");
        let said = world.ok("exec", json!({"argv": ["x", "index"]})).await;
        assert!(said.contains("not a path in your workspace"), "{said}");
        assert_eq!(world.text("index/memory.sqlite").await.unwrap(), "old");
        let said = world.ok("exec", json!({"argv": ["x", "evil"]})).await;
        assert!(said.contains("Nothing it wrote is kept"), "{said}");
        let said = world.ok("exec", json!({"argv": ["x"], "workdir": "sub"})).await;
        assert!(said.contains("sub/b.md, sub/out/new.txt"), "{said}");
        assert_eq!(sandbox.asked.lock().unwrap().iter().map(|asked| asked.timeout_ms).max(), Some(22_000));
    });
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    alone(async {
        let (world, _) = world(false);
        world.put("a.md", "one\n").await;
        let busy = Busy { files: &world.files, key: "agents/main/a.md", times: AtomicUsize::new(1) };
        let answer = world.call_on(&busy, "exec", json!({"argv": ["x"]}), "key").await;
        assert!(answer.text.contains("a.md was changed by somebody else"), "{}", answer.text);
        assert_eq!(world.text("a.md").await.unwrap(), "one\ntheirs\n");
        world.put("gone.md", "one\n").await;
        let busy = Busy { files: &world.files, key: "agents/main/gone.md", times: AtomicUsize::new(1) };
        let answer = world.call_on(&busy, "exec", json!({"argv": ["x"]}), "key").await;
        assert!(answer.text.contains("gone.md was changed by somebody else"), "{}", answer.text);
        assert_eq!(world.text("gone.md").await.unwrap(), "one\ntheirs\n");
    });
}

/// A file that was not brought is not removed, whatever the sandbox says.
#[test]
fn only_what_was_brought_can_be_removed() {
    alone(async {
        let (world, _) = world(false);
        world.put("SOUL.md", "I am\n").await;
        world.put("sub/a.md", "one\n").await;
        let said = world.ok("exec", json!({"argv": ["x"], "workdir": "sub"})).await;
        assert!(!said.contains("removed"), "{said}");
        assert_eq!(world.text("SOUL.md").await.as_deref(), Some("I am\n"));
    });
}

#[test]
fn commands_are_the_owners_and_need_consent_every_time() {
    alone(async {
        let (mut world, sandbox) = world(true);
        let guest = Caller::default();
        assert_eq!(guest.authority, Authority::Guest);
        for tool in all(&world.settings).iter().filter(|tool| ["exec", "process"].contains(&tool.spec().name.as_str()))
        {
            assert!(tool.offered(&world.caller) && !tool.offered(&guest));
            let asks = tool.consent(&json!({"command": "ls"}), &world.caller).is_some();
            assert_eq!(asks, tool.spec().name == "exec");
        }
        world.caller = guest;
        world.fails("exec", json!({"command": "ls"})).await;
        world.fails("process", json!({"action": "list"})).await;
        assert!(sandbox.asked.lock().unwrap().is_empty());
        world.settings.exec = None;
        assert!(!names(&world).iter().any(|name| name == "exec" || name == "process"));
    });
}

#[test]
fn where_nothing_stays_the_background_is_refused_with_its_reason() {
    alone(async {
        let (world, sandbox) = world(false);
        let said = world.fails("exec", json!({"command": "make", "background": true})).await;
        assert!(said.contains("Nothing goes on here after a call") && sandbox.asked.lock().unwrap().is_empty());
        assert!(!names(&world).contains(&"process".to_owned()));
    });
}

#[test]
fn a_command_in_the_background_is_polled_listed_and_killed_by_its_own_conversation() {
    alone(async {
        let (mut world, _) = world(true);
        world.put("a.md", "one\n").await;
        let begun = world.ok("exec", json!({"command": "make", "background": true})).await;
        assert!(begun.contains("sessionId 1"), "{begun}");
        assert_eq!(world.ok("process", json!({"action": "list"})).await, "1  running  make\nin the background");
        let news = world.ok("process", json!({"action": "poll", "sessionId": 1})).await;
        assert_eq!(news, "1 still runs. It wrote:\nline 0\nline 1\nline ");
        assert!(world.ok("process", json!({"action": "poll", "sessionId": 1})).await.ends_with("nothing new."));
        let log = |more: Value| {
            let mut asked = json!({"action": "log", "sessionId": 1});
            asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            asked
        };
        assert_eq!(world.ok("process", log(json!({}))).await, "Lines 0 to 2 of 3:\nline 0\nline 1\nline ");
        assert_eq!(world.ok("process", log(json!({"offset": 1, "limit": 1}))).await, "Lines 1 to 1 of 3:\nline 1");
        assert_eq!(world.ok("process", log(json!({"limit": 1}))).await, "Lines 2 to 2 of 3:\nline ");
        assert_eq!(world.ok("process", log(json!({"offset": 9}))).await, "No line from 9 on: there are 3.");
        let session = std::mem::replace(&mut world.session, SessionKey::from_stored("agent:main:other"));
        world.fails("process", json!({"action": "poll", "sessionId": 1, "timeout": 5_000})).await;
        world.fails("process", json!({"action": "kill", "sessionId": 1})).await;
        world.fails("process", json!({"action": "log", "sessionId": 1})).await;
        assert_eq!(world.ok("process", json!({"action": "list"})).await, "There are none.");
        world.session = session;
        let ended = world.ok("process", json!({"action": "poll", "sessionId": 1, "timeout": 5_000})).await;
        assert!(ended.starts_with("exit code 0") && ended.contains("a.md"), "{ended}");
        assert_eq!(world.text("a.md").await.unwrap(), "one\nmore\n");
        assert_eq!(world.ok("process", json!({"action": "poll", "sessionId": 1})).await, ended);
        assert!(world.ok("process", log(json!({"offset": 2}))).await.ends_with("\nline 2"));
        world.clock.advance(29 * 60_000);
        world.ok("process", log(json!({}))).await;
        world.clock.advance(2 * 60_000);
        assert_eq!(world.ok("process", json!({"action": "list"})).await, "There are none.", "half an hour is enough");
        world.fails("process", log(json!({}))).await;
        for _ in 0..4 {
            world.ok("exec", json!({"command": "make", "background": true})).await;
        }
        assert!(world.fails("exec", json!({"command": "make", "background": true})).await.contains("run already"));
        assert!(world.ok("process", json!({"action": "kill", "sessionId": 5})).await.contains("is killed"));
        world.fails("process", json!({"action": "poll", "sessionId": 5})).await;
        world.ok("exec", json!({"command": "make", "background": true})).await;
    });
}

#[test]
fn without_a_sandbox_nobody_is_asked_and_the_model_is_told_how_to_get_one() {
    alone(async {
        let mut world = World::new();
        let why = "there is no bubblewrap (apt install bubblewrap)".to_owned();
        world.settings.exec = Some(ExecSettings { sandbox: Err(why), runs: Arc::default() });
        let tools = all(&world.settings);
        let exec = tools.iter().find(|tool| tool.spec().name == "exec").unwrap();
        assert!(exec.consent(&json!({"command": "ls"}), &world.caller).is_none());
        assert!(world.fails("exec", json!({"command": "ls"})).await.contains("apt install bubblewrap"));
        assert!(!tools.iter().any(|tool| tool.spec().name == "process"));
    });
}

/// What is pinned stays pinned, whoever tells the agent to loosen it and by which tool.
#[test]
fn c02_the_pins_of_skills_are_out_of_reach() {
    alone(async {
        let (world, _) = world(false);
        let pins = r#"{"skills": {}}"#;
        world.put("skills/lock.json", pins).await;
        for path in ["skills/lock.json", "./skills/LOCK.json"] {
            for (tool, input) in [
                ("write", json!({ "path": path, "content": "{}" })),
                ("edit", json!({ "path": path, "oldText": "skills", "newText": "x" })),
                ("apply_patch", json!({ "input": format!("*** Begin Patch\n*** Delete File: {path}\n*** End Patch") })),
            ] {
                assert!(world.fails(tool, input).await.contains("chela skills"), "{tool} {path}");
            }
        }
        assert!(world.ok("read", json!({ "path": "skills/lock.json" })).await.contains("skills"));
        // This sandbox writes to every file it is given.
        let said = world.ok("exec", json!({ "argv": ["x"] })).await;
        assert!(said.contains("chela skills"), "{said}");
        assert_eq!(world.text("skills/lock.json").await.as_deref(), Some(pins));
    });
}

/// A conversation that begins many does not end another's.
#[test]
fn what_runs_is_not_pushed_out_by_other_conversations() {
    alone(async {
        let (mut world, _) = slow_world(true, 600_000);
        world.ok("exec", json!({ "command": "make", "background": true })).await;
        let mine = std::mem::replace(&mut world.session, SessionKey::from_stored("agent:main:0"));
        let mut refused = 0;
        for conversation in 0..15 {
            world.session = SessionKey::from_stored(format!("agent:main:{conversation}"));
            for _ in 0..4 {
                let begun = world.call("exec", json!({ "command": "make", "background": true })).await;
                refused += usize::from(begun.is_error);
            }
        }
        world.session = mine;
        assert!(world.ok("process", json!({ "action": "list" })).await.starts_with("1  "));
        assert_eq!(refused, 11, "49 fit beside the first");
    });
}
