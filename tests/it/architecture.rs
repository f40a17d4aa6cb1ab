//! Dependencies point one way. Read from `cargo metadata`, so that no list can fall behind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use chela_core::tool::TOOL_SEARCH;
use chela_core::tool_policy::CATALOG;

/// Packages of this workspace with the crates they need to run, by name.
fn needs() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let normal = |package: &Package| {
        let kept = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        kept.map(|dependency| dependency.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

fn ours(needs: &BTreeSet<String>) -> BTreeSet<&str> {
    needs.iter().map(String::as_str).filter(|name| name.starts_with("chela-")).collect()
}

fn assert_within(package: &str, allowed: &[&str]) {
    let needs = needs();
    let found = ours(&needs[package]);
    let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
    let extra: Vec<_> = found.difference(&allowed).collect();
    assert!(extra.is_empty(), "{package} must not need {extra:?}");
}

#[test]
fn the_core_needs_no_crate_of_ours_and_nothing_that_does_io() {
    let allowed = [
        "async-trait",
        "bytes",
        "hex",
        "http",
        "jiff",
        "schemars",
        "serde",
        "serde_json",
        "sha2",
        "thiserror",
        "unicode-segmentation",
        "wildmatch",
    ];
    let needs = needs();
    let extra: Vec<_> = needs["chela-core"].iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(extra.is_empty(), "chela-core must not need {extra:?}");
}

#[test]
fn a_channel_needs_the_core_the_kit_and_the_way_out() {
    let needs = needs();
    let channels: Vec<&String> = needs
        .keys()
        .filter(|name| {
            name.starts_with("chela-channel-")
                && !["chela-channel-kit", "chela-channel-registry"].contains(&name.as_str())
        })
        .collect();
    assert!(channels.len() >= 3);
    for channel in channels {
        let mut may_need = vec!["chela-core", "chela-channel-kit", "chela-http"];
        // Three platforms of one company, which are one platform underneath.
        if ["whatsapp", "messenger", "instagram"].iter().any(|id| channel.ends_with(id)) {
            may_need.push("chela-meta");
        }
        // Amazon SES is the platform of mail.
        if channel.ends_with("email") {
            may_need.push("chela-sigv4");
        }
        assert_within(channel, &may_need);
    }
    assert_within("chela-meta", &["chela-core", "chela-channel-kit"]);
}

#[test]
fn the_turn_sees_ports_and_never_an_adapter() {
    assert_within("chela-agent", &["chela-core", "chela-failpoint", "chela-skills"]);
    assert_within("chela-skills", &["chela-archive", "chela-core"]);
    assert_within("chela-failpoint", &[]);
}

#[test]
fn adapters_do_not_know_one_another_nor_what_they_serve() {
    assert_within("chela-embedded", &["chela-core"]);
    assert_within("chela-aws", &["chela-core", "chela-http", "chela-sigv4"]);
    assert_within("chela-sigv4", &["chela-core"]);
    // The clock signs requests to Bedrock with the time.
    assert_within("chela-models", &["chela-clock", "chela-core", "chela-http", "chela-sigv4"]);
    assert_within("chela-media", &["chela-core", "chela-http"]);
    assert_within("chela-mcp", &["chela-core", "chela-http"]);
    assert_within("chela-tools", &["chela-archive", "chela-core", "chela-memory", "chela-shell"]);
    assert_within("chela-shell", &[]);
    assert_within("chela-memory", &["chela-core", "chela-http"]);
    assert_within("chela-web", &["chela-core", "chela-http", "chela-media"]);
    assert_within("chela-browser", &["chela-core", "chela-http", "chela-media"]);
    assert_within("chela-config", &["chela-core"]);
    assert_within("chela-http", &["chela-core"]);
    assert_within("chela-archive", &[]);
    assert_within("chela-sandbox", &["chela-archive", "chela-core"]);
}

#[test]
fn the_verbs_know_no_adapter_of_state() {
    let needs = needs();
    for adapter in ["chela-aws", "chela-embedded"] {
        assert!(!needs["chela-app"].contains(adapter), "chela-app must not need {adapter}");
    }
}

#[test]
fn vendors_stay_behind_their_one_crate() {
    for (package, needs) in needs() {
        for name in needs.iter() {
            let aws = name.starts_with("aws-");
            // Few requests do not earn an SDK: they are signed by AWS's own crate, and sent like all others.
            let signs = package == "chela-sigv4" && ["aws-sigv4", "aws-credential-types"].contains(&name.as_str());
            // Bedrock is a provider of models: its frames are read by AWS's own crates.
            let reads = package == "chela-models" && name.starts_with("aws-smithy-");
            assert!(
                !aws || signs || reads || package == "chela-aws",
                "{package} must not need {name}: AWS stays in chela-aws"
            );
            let client = ["reqwest", "hyper", "hyper-util", "ureq"].contains(&name.as_str());
            assert!(
                !client || ["chela-http", "chela-bench"].contains(&package.as_str()),
                "{package} must not need {name}: one way out"
            );
        }
        // The simulation is a test as a whole.
        let of_tests = !needs.contains("chela-testkit") || package == "chela-simulation";
        assert!(of_tests, "{package} must need chela-testkit in tests only");
    }
}

#[test]
fn a_browser_is_started_by_the_command_and_never_by_a_function() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    for package in &metadata.packages {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        let browser: Vec<_> = normal.filter(|it| it.name == "chela-browser").collect();
        let starts = browser.iter().any(|it| it.features.contains(&"local".to_owned()) || it.uses_default_features);
        assert_eq!(starts, package.name.as_str() == "chela", "{}", package.name);
    }
}

#[test]
fn a_connection_is_held_by_the_command_and_never_by_a_function() {
    assert_within("chela-bridge", &["chela-core", "chela-channel-kit", "chela-http"]);
    for (package, needs) in needs() {
        assert!(!needs.contains("chela-bridge") || package == "chela", "{package} must not need chela-bridge");
        assert!(
            !needs.contains("twilight-gateway") || package == "chela-bridge",
            "{package} must not hold a connection"
        );
        let dials = ["chela-bridge", "chela-http"].contains(&package.as_str());
        assert!(!needs.contains("tokio-rustls") || dials, "{package} must not open a connection: one way out");
    }
}

#[test]
fn a_server_that_is_a_program_is_started_by_the_command_and_never_by_a_function() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    for package in &metadata.packages {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        let starts = normal.filter(|it| it.name == "chela-mcp").any(|it| it.features.contains(&"stdio".to_owned()));
        assert_eq!(starts, package.name.as_str() == "chela", "{}", package.name);
    }
}

#[test]
fn functions_only_wire() {
    for function in ["webhook", "agent", "heartbeat", "api", "sandbox", "mail"] {
        for file in std::fs::read_dir(root().join("functions").join(function).join("src")).unwrap() {
            let path = file.unwrap().path();
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 80, "{} has {lines} lines; a function only wires", path.display());
        }
    }
}

#[test]
fn every_channel_has_its_guide_its_laws_its_samples_and_its_webhook() {
    let deployed = std::fs::read_to_string(root().join("infra/channels.yaml")).unwrap();
    for descriptor in chela_channel_registry::descriptors() {
        let folder = root().join("shared/channels").join(descriptor.id);
        for part in ["README.md", "tests/it/laws.rs"] {
            assert!(folder.join(part).exists(), "{} misses {part}", folder.display());
        }
        let samples = std::fs::read_dir(root().join("events").join(descriptor.id)).unwrap().count();
        assert!(samples > 0, "events/{} is empty", descriptor.id);
        assert!(
            deployed.lines().any(|line| line.split(" #").next() == Some(&format!("- {}", descriptor.id))),
            "infra/channels.yaml misses {}",
            descriptor.id
        );
    }
}

/// Each binary is linked with everything, which fills disks; and a file that `main.rs` forgets would never run.
#[test]
fn a_crate_has_one_binary_of_tests_with_every_file_in_it() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let mut files = 0;
    for package in &metadata.packages {
        let tests: Vec<_> = package.targets.iter().filter(|target| target.is_test()).collect();
        assert!(tests.iter().all(|test| test.name == "it"), "{}: its tests belong into tests/it", package.name);
        for main in tests.iter().map(|test| test.src_path.as_std_path()) {
            let text = std::fs::read_to_string(main).unwrap();
            for file in std::fs::read_dir(main.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
                let module = file.file_stem().unwrap().to_str().unwrap();
                let named = text.lines().any(|line| line == format!("mod {module};"));
                assert!(named || module == "main", "{} misses `mod {module};`", main.display());
                files += 1;
            }
        }
    }
    assert!(files > 100, "{files}");
}

/// The size is a smoke alarm, not a law: a file that has a reason says so in its first lines.
#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<String> = sources(&root())
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let most = if path.components().any(|part| part.as_os_str() == "tests") { 900 } else { 600 };
            (text.lines().count() > most).then(|| format!("{} ({} lines)", path.display(), text.lines().count()))
        })
        .collect();
    assert!(long.is_empty(), "too long: {long:#?}");
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found
}

pub(crate) fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Lists in the configuration know every tool there is, and none that is not: a tool that they do not know could be meant by
/// no profile and no group.
#[test]
fn the_catalog_has_the_tools_that_are_there() {
    let mut there = BTreeSet::new();
    for file in sources(&root().join("shared")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let (text, shown) = (text.split("#[cfg(test)]\nmod tests").next().unwrap(), file.display().to_string());
        // Tests have tools of theirs, and dialects of models have none.
        if ["/tests", "/testkit/", "/models/"].iter().any(|part| shown.contains(part)) {
            continue;
        }
        let specs = text.split("ToolSpec {").skip(1).filter_map(|spec| spec.trim_start().strip_prefix("name: "));
        let names = specs.filter_map(|spec| Some(spec.split_once(".into()")?.0));
        // What is no literal is the name of another tool, or of a server's.
        let literal = |name: &str| name.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
        there.extend(
            names.filter_map(|name| if name == "TOOL_SEARCH" { Some(TOOL_SEARCH.to_owned()) } else { literal(name) }),
        );
    }
    let catalog: BTreeSet<String> = CATALOG.iter().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(there, catalog);
}
