//! The heads of the skills that OpenClaw brings along, read as PyYAML reads them.

use chela_skills::read_skill;
use serde_json::Value;

#[test]
fn the_skills_openclaw_brings_along_are_read_as_pyyaml_reads_them() {
    let fixtures = include_str!("../../../../tests/fixtures/openclaw/skills.jsonl");
    let mut read = 0;
    for line in fixtures.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| expected[key].as_str();
        let list = |key: &str| -> Vec<String> { serde_json::from_value(expected[key].clone()).unwrap() };
        let file = format!("---\n{}\n---\nBody", text("head").unwrap());
        let skill = read_skill(file.as_bytes(), "folder").unwrap();
        let requires = &skill.needs.requires;
        assert_eq!(skill.name, text("name").unwrap());
        assert_eq!(skill.description, text("description").unwrap(), "{}", skill.name);
        assert_eq!(skill.emoji.as_deref(), text("emoji"), "{}", skill.name);
        assert_eq!(
            (&skill.needs.os, &requires.bins, &requires.any_bins, &requires.env, &requires.config),
            (&list("os"), &list("bins"), &list("anyBins"), &list("env"), &list("config")),
            "{}",
            skill.name
        );
        assert_eq!(Some(skill.needs.always), expected["always"].as_bool());
        read += 1;
    }
    assert_eq!(read, 51);
}
