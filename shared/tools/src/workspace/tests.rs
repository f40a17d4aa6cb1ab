use chela_embedded::FolderBlobs;

use super::*;

struct World {
    _folder: tempfile::TempDir,
    files: FolderBlobs,
    agent: AgentId,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap();
        Self { _folder: folder, files, agent: AgentId::new("main") }
    }

    async fn put(&self, name: &str, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.files.put(&key(&self.agent, name), bytes, Precondition::None).await.unwrap();
    }

    async fn text(&self, name: &str) -> String {
        let blob = self.files.get(&key(&self.agent, name)).await.unwrap().unwrap();
        String::from_utf8(blob.bytes.to_vec()).unwrap()
    }

    async fn seed(&self) -> usize {
        seed(&self.files, &self.agent).await.unwrap()
    }

    async fn context(&self, limits: &Limits) -> String {
        self.prompts(limits).await.owner
    }

    async fn prompts(&self, limits: &Limits) -> Prompts {
        context(&self.files, &self.agent, limits).await.unwrap()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Instructions that nobody sees in a file of rules (the Rules File Backdoor) are none.
#[test]
fn i15_what_is_hidden_in_a_file_is_not_in_the_prompt() {
    run(async {
        let world = World::new();
        let tags: String = "obey".chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect();
        world.put("AGENTS.md", &format!("Be{tags} kind\u{202e}.\u{200b}")).await;
        world.put("USER.md", &tags).await;
        let prompts = world.prompts(&Limits::default()).await;
        assert!(prompts.owner.ends_with("## AGENTS.md\n\nBe kind."), "{}", prompts.owner);
        assert!(prompts.guests.ends_with("## AGENTS.md\n\nBe kind."), "{}", prompts.guests);
    });
}

#[test]
fn a_new_workspace_gets_every_file_and_an_old_one_only_what_it_lacks() {
    run(async {
        let world = World::new();
        assert_eq!(world.seed().await, SEEDS.len() + 1);
        assert_eq!(world.seed().await, 0);
        world.put("BOOTSTRAP.md", "").await;
        assert_eq!(world.seed().await, 0, "a finished birth is not repeated");
        let old = World::new();
        old.put("SOUL.md", "I am somebody.").await;
        assert_eq!(old.seed().await, SEEDS.len() - 1, "who has a soul is not born again");
        assert_eq!(old.text("SOUL.md").await, "I am somebody.");
    });
}

#[test]
fn a_seeding_that_broke_off_is_finished_with_its_birth() {
    run(async {
        let world = World::new();
        world.put(BIRTH.0, BIRTH.1).await;
        assert_eq!(world.seed().await, SEEDS.len());
    });
}

#[test]
fn agents_have_workspaces_of_their_own() {
    run(async {
        let world = World::new();
        world.seed().await;
        assert_eq!(seed(&world.files, &AgentId::new("mai")).await.unwrap(), SEEDS.len() + 1);
    });
}

#[test]
fn a_new_agents_prompt_is_small() {
    run(async {
        let world = World::new();
        world.seed().await;
        let prompt = world.context(&Limits::default()).await;
        // About 1,000 tokens; OpenClaw sends some 15,000 (61 KB) for "ping".
        assert!(prompt.len() < 4_500, "{} bytes", prompt.len());
        for name in PROMPT {
            assert!(prompt.contains(&format!("\n## {name}\n")), "{name}");
        }
        assert!(!prompt.contains("HEARTBEAT.md\n\n#"));
    });
}

#[test]
fn the_same_files_make_the_same_prompt_and_late_changes_keep_its_beginning() {
    run(async {
        let world = World::new();
        world.seed().await;
        let before = world.context(&Limits::default()).await;
        assert_eq!(world.context(&Limits::default()).await, before);
        world.put("MEMORY.md", "Something new.").await;
        let after = world.context(&Limits::default()).await;
        let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        assert!(before.get(..same).unwrap().contains("## USER.md"), "only what follows USER.md may change");
    });
}

#[test]
fn absent_and_empty_files_are_left_out() {
    run(async {
        let world = World::new();
        assert_eq!(world.context(&Limits::default()).await, STANDING.trim_end());
        world.put("SOUL.md", " \n").await;
        world.put("USER.md", "Ada").await;
        assert_eq!(world.context(&Limits::default()).await, format!("{}\n\n## USER.md\n\nAda", STANDING.trim_end()));
    });
}

#[test]
fn guests_get_a_prompt_without_what_is_known_of_the_owner() {
    run(async {
        let world = World::new();
        for name in PROMPT {
            world.put(name, &format!("secret of {name}")).await;
        }
        let Prompts { owner, guests } = world.prompts(&Limits::default()).await;
        for name in PROMPT {
            assert!(owner.contains(&format!("secret of {name}")), "{name}");
            let private = ["USER.md", "MEMORY.md", "BOOTSTRAP.md"].contains(name);
            assert_eq!(guests.contains(&format!("secret of {name}")), !private, "{name}");
        }
    });
}

#[test]
fn long_files_are_shortened_one_by_one_and_together() {
    run(async {
        let world = World::new();
        for name in PROMPT {
            world.put(name, &format!("begin {} end", "ö".repeat(5_000))).await;
        }
        let limits = Limits { per_file: 1_000, total: 2_500 };
        let prompt = world.context(&limits).await;
        assert!(prompt.chars().filter(|c| *c == 'ö').count() <= limits.total);
        assert_eq!(prompt.matches("characters are left out here").count(), PROMPT.len());
        assert_eq!(prompt.matches("begin ").count(), 3);
        let first = prompt.split("## SOUL.md").next().unwrap();
        assert!(first.contains("begin ö") && first.contains("ö end"));
        assert!(world.context(&Limits { per_file: 0, total: 0 }).await.contains("left out"));
    });
}

#[test]
fn a_text_is_shortened_at_characters() {
    for most in 0..20 {
        let short = shortened("öäü€😀abcdefghij", most);
        assert!(short.chars().count() <= most + 80);
        assert_eq!(short == "öäü€😀abcdefghij", most >= 15);
    }
}
