#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use chela_config::{MissingVariable, SecretKey, Surroundings};

use super::*;

/// A configuration nothing is found in.
const CLEAN: &str = r#"{
  commands: { ownerAllowFrom: ["telegram:1"] },
  channels: { telegram: { botToken: "${BOT}", webhookSecret: "${HOOK}", allowFrom: ["1"] } },
  spend: { limits: { perDay: 5, perUserPerDay: 1 } },
  gateway: { auth: { token: "${KEY}" } },
}"#;

/// The same with strangers in it.
const OPEN: &str = r#"{
  commands: { ownerAllowFrom: ["telegram:1"] },
  channels: { telegram: { botToken: "${BOT}", webhookSecret: "${HOOK}", dmPolicy: "open", allowFrom: ["*"] } },
  spend: { limits: { perDay: 5 } },
  agents: { defaults: { model: "ollama/llama3.2:3b" } },
}"#;

/// One function that is in order, with all it needs.
const TEMPLATE: &str = r"
Parameters: { MonthlyBudgetUsd: { Type: Number, Default: 20 } }
Resources:
  Agent:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt AgentRole.Arn
      ReservedConcurrentExecutions: !If [Limit, 5, !Ref AWS::NoValue]
      Environment: { Variables: { CHELA_STAGE: !Ref Stage } }
  AgentRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: agent
          PolicyDocument:
            Statement:
              - { Effect: Allow, Action: [dynamodb:GetItem], Resource: !GetAtt Table.Arn }
  AgentLogs: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: 14 } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
      SSESpecification: { SSEEnabled: true }
  LiveDlq: { Type: AWS::SQS::Queue, Properties: { SqsManagedSseEnabled: true } }
  Live: { Type: AWS::SQS::Queue, Properties: { SqsManagedSseEnabled: true, RedrivePolicy: { maxReceiveCount: 3 } } }
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption: { x: y }
      VersioningConfiguration: { Status: Enabled }
      PublicAccessBlockConfiguration:
        { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true }
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      PolicyDocument:
        Statement:
          - Fn::If:
              - Tls
              - { Effect: Deny, Principal: '*', Action: s3:*, Condition: { Bool: { aws:SecureTransport: 'false' } } }
              - !Ref AWS::NoValue
  Budget: { Type: AWS::Budgets::Budget, Properties: { Budget: {} } }
  Sandbox:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt SandboxRole.Arn
      ReservedConcurrentExecutions: 5
      VpcConfig: { SubnetIds: [!Ref A], SecurityGroupIds: [!Ref G] }
  SandboxRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - { Effect: Allow, Action: ['ec2:CreateNetworkInterface', 'ec2:DescribeSubnets'], Resource: '*' }
              - { Effect: Deny, Action: '*', Resource: '*', Condition: { ArnEquals: { lambda:SourceFunctionArn: !Sub s } } }
";

fn variables(name: &str) -> Option<String> {
    if name == "SHORT" {
        return Some("hook".to_owned());
    }
    Some(format!("{name}-1f8a6c20b7d94e35a1c2d3e4"))
}

fn channels() -> Vec<ChannelKeys> {
    let key = |key: &str| SecretKey { key: key.to_owned(), env: key.to_uppercase(), required: true };
    let options = vec!["apiRoot".to_owned()];
    vec![ChannelKeys { id: "telegram".to_owned(), secrets: vec![key("botToken"), key("webhookSecret")], options }]
}

fn found(text: &str, template: Option<&str>, files: &[OwnedFile]) -> Vec<Finding> {
    let channels = channels();
    let surroundings = Surroundings { variables: &variables, missing: MissingVariable::Refuse, channels: &channels };
    let checked = chela_config::check("test", text, &|_| None, &surroundings);
    let config = checked.config.unwrap_or_default();
    let refused = &checked.report.errors;
    let written = chela_config::written(text).unwrap();
    let template = template.map(|text| Template::read(text).unwrap());
    audit(&Subject {
        config: &config,
        refused,
        written: &written,
        channels: &channels,
        template: template.as_ref(),
        files,
        skills: &[],
    })
}

fn found_of(skill: Pinned) -> Vec<Finding> {
    let (config, written) = (chela_config::Config::default(), serde_json::json!({}));
    let skills = [OwnedSkill { folder: "skills/weather".to_owned(), pinned: skill }];
    let subject = Subject {
        config: &config,
        refused: &[],
        written: &written,
        channels: &[],
        template: None,
        files: &[],
        skills: &skills,
    };
    audit(&subject).into_iter().filter(|finding| finding.at == "skills/weather").collect()
}

fn ids(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.id).collect()
}

fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in it");
    text.replacen(from, to, 1)
}

#[test]
fn nothing_is_found_where_all_is_in_order() {
    let private = OwnedFile { path: "chela.json5".into(), holds: Holds::Configuration, mode: 0o600, symlink: false };
    assert_eq!(found(CLEAN, Some(TEMPLATE), &[private]), []);
}

/// Each check is found by the change that it is about, and the change is all there is to it: the text before had none.
#[test]
fn every_check_finds_what_it_is_about() {
    let mut seen = BTreeSet::new();
    let file = |mode, symlink| [OwnedFile { path: "d".into(), holds: Holds::Data, mode, symlink }];
    for (id, text) in configurations() {
        assert!(ids(&found(&text, None, &[])).contains(id), "{id}: {text}");
        seen.insert(id);
    }
    for (id, from, to) in TEMPLATES {
        let template = changed(TEMPLATE, from, to);
        assert!(ids(&found(CLEAN, Some(&template), &[])).contains(id), "{id}: {template}");
        seen.insert(id);
    }
    let files = [("files.readable", file(0o750, false)), ("files.writable", file(0o720, false))];
    for (id, files) in files.into_iter().chain([("files.symlink", file(0o700, true))]) {
        assert!(ids(&found(CLEAN, None, &files)).contains(id), "{id}");
        seen.insert(id);
    }
    let skills = [
        ("skills.unpinned", Pinned::No),
        ("skills.changed", Pinned::Changed(vec!["SKILL.md was changed".to_owned()])),
        ("skills.accepted", Pinned::Accepted(2)),
    ];
    for (id, pinned) in skills {
        assert_eq!(ids(&found_of(pinned)), BTreeSet::from([id]));
        seen.insert(id);
    }
    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(all.difference(&seen).collect::<Vec<_>>(), Vec::<&&str>::new(), "checks that no change was tried for");
    assert_eq!(all.len(), CHECKS.len(), "an id stands twice");
}

fn configurations() -> Vec<(&'static str, String)> {
    let clean = |from: &str, to: &str| changed(CLEAN, from, to);
    vec![
        ("channels.open_dm", OPEN.to_owned()),
        ("channels.open_rooms", clean("allowFrom: [\"1\"]", "allowFrom: [\"1\"], groupPolicy: \"open\"")),
        ("channels.unaddressed", clean("allowFrom: [\"1\"]", "allowFrom: [\"1\"], requireMention: false")),
        ("channels.empty_list", clean("allowFrom: [\"1\"]", "dmPolicy: \"allowlist\"")),
        ("channels.no_owner", clean("[\"telegram:1\"]", "[]")),
        ("config.refused", clean("\"${HOOK}\"", "\" \"")),
        ("gateway.short_token", clean("\"${KEY}\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"")),
        ("gateway.exposed", clean("gateway: {", "gateway: { listen: \"0.0.0.0:18789\",")),
        ("gateway.plain_origin", clean("gateway: {", "gateway: { publicOrigin: \"http://chela.example.com\",")),
        ("gateway.no_rate_limit", clean("gateway: {", "gateway: { limits: { messagesPerMinute: 0 },")),
        ("spend.no_limit", clean("perDay: 5, ", "")),
        ("spend.no_user_limit", OPEN.to_owned()),
        ("spend.halted", clean("spend: {", "spend: { halted: true,")),
        ("models.weak", OPEN.to_owned()),
        (
            "models.plain_http",
            clean("spend: {", "models: { providers: { x: { baseUrl: \"http://example.com\" } } }, spend: {"),
        ),
        ("exec.unwalled", clean("spend: {", "tools: { exec: { host: \"gateway\" } }, spend: {")),
        ("exec.unasked", clean("spend: {", "tools: { exec: { unattended: \"full\" } }, spend: {")),
        ("exec.wide_rule", clean("spend: {", "tools: { exec: { allowlist: [[\"python3\", \"**\"]] } }, spend: {")),
        ("exec.for_strangers", changed(OPEN, "spend: {", "tools: { exec: { guests: \"auto\" } }, spend: {")),
        (
            "browser.plain_cdp",
            clean("spend: {", "tools: { browser: { cdpUrl: \"ws://example.com/${KEY}\" } }, spend: {"),
        ),
        ("mcp.plain_http", clean("spend: {", "mcp: { servers: { x: { url: \"http://example.com\" } } }, spend: {")),
        (
            "mcp.unasked",
            clean("spend: {", "mcp: { servers: { x: { url: \"https://a.example\", ask: false } } }, spend: {"),
        ),
        (
            "mcp.unpinned",
            clean(
                "spend: {",
                "mcp: { servers: { x: { command: \"npx\", args: [\"-y\", \"some-server\"] } } }, spend: {",
            ),
        ),
        ("secrets.written", clean("${BOT}", "123:abc")),
        ("secrets.reused", changed(&clean("${BOT}", "7f3a9c1e5b2d8f60"), "${HOOK}", "7f3a9c1e5b2d8f60")),
        ("secrets.short", clean("${HOOK}", "hook")),
        ("session.shared", clean("allowFrom: [\"1\"]", "allowFrom: [\"1\", \"2\"]")),
        ("session.shared", OPEN.to_owned()),
        ("schedules.often", clean("spend: {", "tools: { cron: { minIntervalMinutes: 1 } }, spend: {")),
        // What stands behind a variable or a reference is no other secret.
        ("secrets.reused", clean("${HOOK}", "${KEY}")),
        ("secrets.reused", clean("\"${KEY}\"", "\"${BOT}\"")),
        ("secrets.reused", clean("\"${HOOK}\"", "${R}").replace("\"${KEY}\"", "${R}").replace("${R}", REFERENCE)),
        ("secrets.short", clean("${HOOK}", "${SHORT}")),
        // However it is spelled.
        ("models.plain_http", clean("spend: {", &provider("Http://example.com"))),
        ("models.plain_http", clean("spend: {", &provider("http://127.0.0.1.example.com"))),
        ("mcp.unpinned", clean("spend: {", &program("npx", &["-y", "some-server", "--port=3000"]))),
        ("mcp.unpinned", clean("spend: {", &program("npx", &["-y", "some-server@latest", "http://a.example:80"]))),
        ("mcp.unpinned", clean("spend: {", &program("/usr/bin/docker", &["run", "-p", "8080:8080", "a/server"]))),
        ("mcp.unpinned", clean("spend: {", &program("sh", &["-c", "exec npx -y some-server"]))),
        ("mcp.unpinned", clean("spend: {", &program("env", &["A=1", "uvx", "some-server"]))),
    ]
}

const REFERENCE: &str = "{ source: \"ssm\", id: \"/chela/dev/one\" }";

fn provider(url: &str) -> String {
    format!("models: {{ providers: {{ x: {{ baseUrl: \"{url}\" }} }} }}, spend: {{")
}

fn program(command: &str, args: &[&str]) -> String {
    format!("mcp: {{ servers: {{ x: {{ command: \"{command}\", args: {args:?} }} }} }}, spend: {{")
}

const TEMPLATES: &[(&str, &str, &str)] = &[
    ("template.wild_action", "[dynamodb:GetItem]", "'dynamodb:*'"),
    ("template.wild_resource", "Resource: !GetAtt Table.Arn", "Resource: '*'"),
    ("template.scan", "[dynamodb:GetItem]", "[dynamodb:GetItem, dynamodb:Scan]"),
    (
        "template.managed_policy",
        "      Policies:",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/X]\n      Policies:",
    ),
    ("template.sandbox_armed", "  AgentRole:\n", "  SandboxAgentRole:\n"),
    ("template.sandbox_armed", "'ec2:DescribeSubnets'", "'ec2:RunInstances'"),
    ("template.sandbox_armed", "Effect: Deny, Action: '*', Resource", "Effect: Deny, Action: 'ec2:*', Resource"),
    ("template.sandbox_armed", "ArnEquals: { lambda:SourceFunctionArn", "ArnEquals: { aws:SourceArn"),
    (
        "template.sandbox_armed",
        "lambda:SourceFunctionArn: !Sub s } }",
        "lambda:SourceFunctionArn: !Sub s }, Bool: { x: y } }",
    ),
    ("template.sandbox_armed", "VpcConfig:", "Environment: { Variables: { A: b } }\n      VpcConfig:"),
    ("template.sandbox_reaches", "VpcConfig:", "Other:"),
    (
        "template.shared_role",
        "  AgentRole:\n",
        "  Other: { Type: AWS::Lambda::Function, Properties: { Role: !GetAtt AgentRole.Arn } }\n  AgentRole:\n",
    ),
    ("template.no_ceiling", "ReservedConcurrentExecutions", "Timeout"),
    ("template.open_url", "      Environment:", "      FunctionUrlConfig: { AuthType: NONE }\n      Environment:"),
    ("template.secret_in_environment", "CHELA_STAGE: !Ref Stage", "BOT_TOKEN: abc"),
    ("template.no_retention", "RetentionInDays: 14", "X: 1"),
    ("template.public_bucket", "BlockPublicPolicy: true, ", ""),
    ("template.plain_bucket", "aws:SecureTransport", "aws:MultiFactorAuthPresent"),
    ("template.no_recovery", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    ("template.unencrypted", "SSEEnabled: true", "SSEEnabled: false"),
    ("template.no_dead_letters", "RedrivePolicy: { maxReceiveCount: 3 }", "DelaySeconds: 1"),
    ("template.no_budget", "Default: 20", "Default: 0"),
    // What stands within a condition is deployed, too.
    ("template.wild_action", "{ Effect: Allow, Action: [dynamodb:GetItem], Resource: !GetAtt Table.Arn }", CONDITIONAL),
    (
        "template.sandbox_armed",
        "{ Effect: Allow, Action: ['ec2:CreateNetworkInterface', 'ec2:DescribeSubnets'], Resource: '*' }",
        CONDITIONAL,
    ),
    ("template.wild_resource", "Resource: !GetAtt Table.Arn", "Resource: 'arn:aws:s3:::*'"),
    (
        "template.wild_resource",
        "Resource: !GetAtt Table.Arn",
        "Resource: !Sub 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/*'",
    ),
    ("template.scan", "[dynamodb:GetItem]", "DynamoDB:SCAN"),
    ("template.pass_role", "[dynamodb:GetItem]", "iam:passrole"),
    ("template.managed_policy", "      Environment:", "      Policies: [AdministratorAccess]\n      Environment:"),
    (
        "template.managed_policy",
        "      Environment:",
        "      Policies: [{ S3CrudPolicy: { BucketName: x } }]\n      Environment:",
    ),
    ("template.sandbox_armed", "VpcConfig:", "Policies: AmazonS3FullAccess\n      VpcConfig:"),
    ("template.open_url", "      Environment:", "      Events: { Web: { Type: HttpApi } }\n      Environment:"),
    (
        "template.open_url",
        "  AgentRole:\n",
        "  Way: { Type: AWS::Lambda::Url, Properties: { TargetFunctionArn: !GetAtt Agent.Arn, AuthType: NONE } }\n  AgentRole:\n",
    ),
    (
        "template.open_url",
        "  AgentRole:\n",
        "  Way: { Type: AWS::Lambda::Permission, Properties: { FunctionName: !Ref Sandbox, Principal: '*' } }\n  AgentRole:\n",
    ),
    (
        "template.open_queue",
        "  AgentRole:\n",
        "  Way: { Type: AWS::SQS::QueuePolicy, Properties: { PolicyDocument: { Statement: [{ Effect: Allow, Principal: '*', Action: sqs:SendMessage }] } } }\n  AgentRole:\n",
    ),
];

const CONDITIONAL: &str =
    "!If [Wide, { Effect: Allow, Action: 's3:*', Resource: !GetAtt Bucket.Arn }, !Ref AWS::NoValue]";

#[test]
fn strangers_make_a_missing_limit_critical() {
    let severity = |text: &str| {
        let findings = found(text, None, &[]);
        findings.iter().find(|finding| finding.id == "spend.no_limit").map(|finding| finding.severity)
    };
    assert_eq!(severity(&changed(CLEAN, "perDay: 5, ", "")), Some(Severity::Warn));
    assert_eq!(severity(&changed(OPEN, "perDay: 5", "")), Some(Severity::Critical));
    assert_eq!(severity(OPEN), None);
}

#[test]
fn a_readable_configuration_without_secrets_is_no_great_matter() {
    let file = OwnedFile { path: "c".into(), holds: Holds::Configuration, mode: 0o644, symlink: false };
    let severity = |text: &str| found(text, None, std::slice::from_ref(&file)).first().map(|first| first.severity);
    assert_eq!(severity(CLEAN), Some(Severity::Info));
    assert_eq!(severity(&changed(CLEAN, "${BOT}", "123:abc")), Some(Severity::Critical));
}

/// A repair does what the finding asks for: with it, the finding is gone and nothing else is new.
#[test]
fn repairs_of_keys_mend_and_break_nothing() {
    let mut repaired = 0;
    for (id, text) in configurations() {
        let before = found(&text, None, &[]);
        for finding in &before {
            let Some(Repair::Key { path, value }) = &finding.repair else { continue };
            let mended = chela_config::edit(&text, path, value).unwrap_or_else(|| panic!("{id}: {path:?}"));
            let after = ids(&found(&mended, None, &[]));
            assert!(!after.contains(finding.id) && after.is_subset(&ids(&before)), "{id}: {mended}");
            repaired += 1;
        }
    }
    assert!(repaired >= 3, "{repaired}");
}

#[test]
fn no_finding_tells_a_secret() {
    const SECRET: &str = "correct-horse-1";
    let text = changed(&changed(CLEAN, "${HOOK}", SECRET), "${BOT}", SECRET);
    let findings = found(&text, None, &[]);
    assert!(findings.len() >= 4, "{findings:?}");
    assert!(!serde_json::to_string(&findings).unwrap().contains(SECRET));
}

#[test]
fn the_template_of_this_house_has_no_door_open() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml")).unwrap();
    let mut by_id: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in found(CLEAN, Some(&text), &[]) {
        by_id.entry(finding.id).or_default().push(format!("{}: {}", finding.at, finding.message));
    }
    // Whoever deploys says how much is too much.
    let expected = ["MonthlyBudgetUsd: is 0 unless a deployment sets it".to_owned()];
    assert_eq!(by_id, BTreeMap::from([("template.no_budget", expected.to_vec())]));
}

#[test]
fn what_is_no_template_is_refused() {
    assert_eq!(Template::read("a: 1").unwrap_err(), TemplateError::NoResources);
    assert!(matches!(Template::read("a: [").unwrap_err(), TemplateError::Unreadable(_)));
    // Nor is one that nobody's stack or memory holds.
    let bomb = |levels: u32| (1..levels).map(|n| format!("l{n}: &l{n} [*l{}, *l{0}, *l{0}, *l{0}]\n", n - 1));
    for bomb in ["[".repeat(500_000), "{a: ".repeat(200_000), format!("l0: &l0 x\n{}", bomb(60).collect::<String>())] {
        assert!(matches!(Template::read(&bomb).unwrap_err(), TemplateError::Unreadable(_)));
    }
    let large = "a".repeat(2 * 1024 * 1024);
    assert!(matches!(Template::read(&large).unwrap_err(), TemplateError::Unreadable(_)));
}

/// docs/audit.md has the table of checks. `UPDATE=1 cargo test -p chela-audit` writes it.
#[test]
fn the_page_has_every_check() {
    const BEGIN: &str = "<!-- checks -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, _) = page.split_once(BEGIN).unwrap();
    let rows = CHECKS.iter().map(|check| {
        let severity = serde_json::to_value(check.severity).unwrap();
        format!("| `{}` | {} | {} |\n", check.id, severity.as_str().unwrap(), check.looks_for)
    });
    let table =
        format!("{head}{BEGIN}| id | severity | what it looks for |\n|---|---|---|\n{}", rows.collect::<String>());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, table).unwrap();
    } else {
        assert_eq!(page, table, "UPDATE=1 cargo test -p chela-audit writes it anew");
    }
}

/// What is allowed with an eye to safety is not reported.
#[test]
fn careful_settings_are_not_reported() {
    for careful in [
        "tools: { exec: { allowlist: [[\"git\", \"log\", \"**\"], [\"ls\", \"*\"], [\"make\", \"test\"]], guests: \"ask\" } }",
        "mcp: { servers: { x: { command: \"npx\", args: [\"-y\", \"@a/some-server@1.4.2\"] } } }",
        "mcp: { servers: { x: { url: \"http://127.0.0.1:9000\", risk: \"read\", ask: false } } }",
        "mcp: { servers: { x: { url: \"http://example.com\", enabled: false } } }",
        "mcp: { servers: { x: { command: \"npx\", args: [\"--package=a@1.2\", \"a\"] } } }",
        "mcp: { servers: { x: { command: \"docker\", args: [\"run\", \"-i\", \"ghcr.io/a/b:1.2.3\"] } } }",
        "mcp: { servers: { x: { command: \"uvx\", args: [\"a==1.4\"] } } }",
        "mcp: { servers: { x: { command: \"sh\", args: [\"-c\", \"/opt/server\"] } } }",
        "models: { providers: { x: { baseUrl: \"http://127.0.0.1:11434\" } } }",
        "models: { providers: { x: { baseUrl: \"https://a.example\", apiKey: \"${K}\" } } }, tools: { web: { search: { provider: \"brave\", apiKey: \"${K}\" } } }",
    ] {
        let text = changed(CLEAN, "spend: {", &format!("{careful}, spend: {{"));
        assert_eq!(found(&text, None, &[]), [], "{careful}");
    }
}

/// A command that nobody agreed to matters more where nothing stands around it, and what holds for all agents is told once.
#[test]
fn without_walls_a_missing_consent_is_critical_and_told_once() {
    let severities = |exec: &str| {
        let agents = "agents: { list: [{ id: \"a\" }, { id: \"b\" }] }";
        let text = changed(CLEAN, "spend: {", &format!("{agents}, tools: {{ exec: {{ {exec} }} }}, spend: {{"));
        let findings = found(&text, None, &[]);
        findings.iter().filter(|found| found.id == "exec.unasked").map(|found| found.severity).collect::<Vec<_>>()
    };
    assert_eq!(severities("mode: \"full\""), [Severity::Warn]);
    assert_eq!(severities("mode: \"full\", host: \"gateway\""), [Severity::Critical]);
}
