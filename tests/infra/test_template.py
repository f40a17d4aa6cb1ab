"""The template: up to date, accepted by the linters, holding every guard, granting what policies.json says and no more.

UPDATE=1 writes policies.json anew; read the difference before you commit it.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import guards
from template import FILE, ROOT, either_way, expanded, of_type, policies, statements

GOLDEN = Path(__file__).parent / "policies.json"
TEMPLATE = expanded()


def properties(name):
    return lambda template: template["Resources"][name]["Properties"]


def without(name, key):
    return lambda template: properties(name)(template).pop(key)


def allow(name, **change):
    """One more statement in a role: harmless but for the change."""
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["LiveQueue", "Arn"]}} | change
    policy = {"PolicyName": "more", "PolicyDocument": {"Statement": [statement]}}
    return lambda template: properties(name)(template).setdefault("Policies", []).append(policy)


TABLE = {"Fn::GetAtt": ["Table", "Arn"]}


def leading(*keys):
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}}


def put(name, key, value):
    return lambda template: properties(name)(template).update({key: value})


def drop(name):
    return lambda template: template["Resources"].pop(name)


def mail_statement(template):
    found = either_way(properties("BucketPolicy")(template)["PolicyDocument"]["Statement"])
    return next(statement for statement in found if statement["Sid"] == "MailFromSes")


def mail_rule(template):
    rules = properties("Bucket")(template)["LifecycleConfiguration"]["Rules"]
    return next(rule for rule in rules if rule["Id"] == "forget-mail")


def sandbox_deny(template):
    found = either_way(properties("SandboxRole")(template)["Policies"][0]["PolicyDocument"]["Statement"])
    return next(statement for statement in found if statement["Effect"] == "Deny")


def queue_statement(number, key, value):
    return lambda template: properties("QueuePolicy")(template)["PolicyDocument"]["Statement"][number].update({key: value})


def agent_deny(template):
    found = either_way(properties("AgentRole")(template)["Policies"][0]["PolicyDocument"]["Statement"])
    return next(statement for statement in found if statement["Effect"] == "Deny")


def scheduler_trust(template):
    return properties("SchedulerRole")(template)["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]


# Each guard with damage that must turn it red.
MUTANTS = {
    guards.permissions_are_in_the_roles: [
        put("AgentRole", "ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
        lambda template: template["Resources"].update(Extra={"Type": "AWS::IAM::Policy", "Properties": {}}),
    ],
    guards.actions_are_named: [
        allow("AgentRole", Action="s3:*"),
        allow("AgentRole", Action=["sqs:SendMessage", "dynamodb:Get*"]),
        allow("AgentRole", NotAction="s3:PutObject"),
    ],
    guards.only_the_role_that_fires_is_passed_on: [
        allow("AgentRole", Action="iam:PassRole", Resource={"Fn::GetAtt": ["AgentRole", "Arn"]}),
        allow("AgentRole", Action="iam:PassRole", Resource={"Fn::GetAtt": ["SchedulerRole", "Arn"]}),
        allow("AgentRole", Action="iam:CreateRole", Resource={"Fn::GetAtt": ["SchedulerRole", "Arn"]}),
    ],
    guards.resources_are_ours: [
        allow("AgentRole", Action="scheduler:DeleteSchedule", Resource={"Fn::Sub": "arn:aws:scheduler:eu-west-1:1:schedule/chela-${Stage}/*"}),
        allow("AgentRole", Resource="*"),
        allow("SandboxRole", Action="ec2:RunInstances", Resource="*"),
        allow("AgentRole", Action="ec2:CreateNetworkInterface", Resource="*"),
        allow("AgentRole", Resource=["arn:aws:s3:::*"]),
        allow("AgentRole", Action="ses:SendEmail", Resource={"Fn::Sub": "arn:aws:ses:eu-west-1:1:identity/*"}),
        allow("AgentRole", Action="bedrock:InvokeModel", Resource={"Fn::Sub": "arn:${AWS::Partition}:bedrock:*::foundation-model/*"}),
        allow("AgentRole", Resource={"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/*"}),
    ],
    guards.nobody_scans_or_drops: [
        allow("ApiRole", Action="dynamodb:Scan"),
        allow("AgentRole", Action=["dynamodb:DeleteTable"]),
        allow("AgentRole", Action="dynamodb:DeleteItem", Resource=TABLE, Condition=leading("S#*")),
        allow("ApiRole", Action="dynamodb:DeleteItem", Resource=TABLE),
        allow("ApiRole", Action="dynamodb:DeleteItem", Resource=TABLE, Condition=leading("S#*", "AUDIT#*")),
    ],
    guards.few_rows_are_open_to_who_faces_the_world: [
        allow("WebhookTelegramRole", Action="dynamodb:GetItem", Resource=TABLE),
        allow("MailRole", Action="dynamodb:Query", Resource=TABLE),
        allow("WebhookTelegramRole", Action="dynamodb:PutItem", Resource=TABLE, Condition=leading("WISHES#*")),
        allow("WebhookTelegramRole", Action="dynamodb:GetItem", Resource=TABLE, Condition=leading("WISHES#*", "S#*")),
        allow("ApiRole", Action=["dynamodb:GetItem", "dynamodb:UpdateItem"], Resource=TABLE),
    ],
    guards.notes_are_all_of_a_workspace_that_the_api_reads: [
        allow("ApiRole", Action="s3:GetObject", Resource={"Fn::Sub": "${Bucket.Arn}/agents/*"}),
        allow("ApiRole", Action="s3:PutObject", Resource={"Fn::Sub": "${Bucket.Arn}/agents/*/MEMORY.md"}),
        allow("ApiRole", Action="s3:DeleteObject", Resource={"Fn::Sub": "${Bucket.Arn}/agents/*/MEMORY.md"}),
    ],
    guards.models_cost_nothing_until_somebody_wants_them: [
        lambda template: template["Parameters"]["BedrockModels"].update(Default="anthropic.*"),
        lambda template: template["Parameters"]["BedrockModels"].update(AllowedPattern=".*"),
        lambda template: template["Parameters"]["BedrockModels"].update(AllowedPattern="[a-z]+"),
        allow("AgentRole", Action="bedrock:InvokeModel", Resource={"Fn::Sub": "arn:${AWS::Partition}:bedrock:*::foundation-model/${BedrockModels}"}),
        allow("ApiRole", Action="bedrock:InvokeModel", Resource={"Fn::Sub": "arn:${AWS::Partition}:bedrock:*::foundation-model/${BedrockModels}"}),
    ],
    guards.every_function_has_its_own_role: [
        put("Api", "Role", {"Fn::GetAtt": ["AgentRole", "Arn"]}),
        put("Api", "Role", "arn:aws:iam::123456789012:role/elsewhere"),
    ],
    guards.the_code_of_the_sandbox_may_nothing: [
        allow("SandboxRole"),
        allow("SandboxRole", Action=["ec2:CreateNetworkInterface", "ec2:RunInstances"], Resource="*"),
        put("SandboxRole", "ManagedPolicyArns", ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]),
        lambda template: properties("SandboxRole")(template)["Policies"][0]["PolicyDocument"]["Statement"].pop(),
        lambda template: sandbox_deny(template).update(Effect="Allow"),
        lambda template: sandbox_deny(template).update(Action=["ec2:CreateNetworkInterface"]),
        lambda template: sandbox_deny(template).update(Resource="arn:aws:s3:::x"),
        lambda template: sandbox_deny(template).update(Condition={"ArnEquals": {"lambda:SourceFunctionArn": "arn:aws:lambda:eu-west-1:1:function:other"}}),
        lambda template: sandbox_deny(template)["Condition"].update(Bool={"aws:SecureTransport": "false"}),
        put("Sandbox", "FunctionName", "other"),
        put("Sandbox", "Environment", {"Variables": {"CHELA_TABLE": "t"}}),
        put("Sandbox", "Layers", ["arn:aws:lambda:eu-west-1:1:layer:x:1"]),
        put("Sandbox", "Role", {"Fn::GetAtt": ["AgentRole", "Arn"]}),
    ],
    guards.the_sandbox_has_no_route: [
        without("Sandbox", "VpcConfig"),
        lambda template: properties("Sandbox")(template)["VpcConfig"]["SubnetIds"].pop(),
        lambda template: properties("Sandbox")(template)["VpcConfig"].update(SubnetIds=["subnet-1", "subnet-2"]),
        lambda template: properties("Sandbox")(template)["VpcConfig"].update(SecurityGroupIds=["sg-1"]),
        lambda template: properties("Sandbox")(template)["VpcConfig"].update(Ipv6AllowedForDualStack=True),
        lambda template: template["Resources"].update(Way={"Type": "AWS::EC2::InternetGateway", "Properties": {}}),
        lambda template: template["Resources"].update(Way={"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcId": {"Ref": "SandboxVpc"}}}),
        lambda template: template["Resources"].update(Way={"Type": "AWS::EC2::SecurityGroupEgress", "Properties": {"GroupId": {"Ref": "SandboxGroup"}}}),
        without("SandboxVpc", "EnableDnsSupport"),
        put("SandboxVpc", "EnableDnsSupport", True),
        put("SandboxSubnetA", "MapPublicIpOnLaunch", True),
        put("SandboxSubnetB", "VpcId", "vpc-1"),
        without("SandboxGroup", "SecurityGroupEgress"),
        put("SandboxGroup", "SecurityGroupEgress", []),
        put("SandboxGroup", "SecurityGroupEgress", [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]),
        put("SandboxGroup", "SecurityGroupIngress", [{"IpProtocol": "-1", "CidrIp": "10.255.255.0/24"}]),
        put("Agent", "VpcConfig", {"SubnetIds": [{"Ref": "SandboxSubnetA"}], "SecurityGroupIds": [{"Ref": "SandboxGroup"}]}),
    ],
    guards.every_function_has_a_ceiling: [
        without(name, "ReservedConcurrentExecutions") for name in of_type(TEMPLATE, guards.FUNCTION)
    ],
    guards.every_log_is_forgotten: [
        without("AgentLogs", "RetentionInDays"),
        without("WebhookSlack", "LoggingConfig"),
        lambda template: properties("Api")(template)["LoggingConfig"].pop("LogGroup"),
    ],
    guards.variables_are_the_contract: [put("Api", "Environment", {"Variables": {"SLACK_SIGNING_SECRET": "s"}})],
    guards.the_table_forgets_and_recovers: [
        without("Table", "TimeToLiveSpecification"),
        without("Table", "PointInTimeRecoverySpecification"),
        without("Table", "SSESpecification"),
        put("Table", "BillingMode", "PROVISIONED"),
    ],
    guards.the_bucket_is_private: [
        without("Bucket", "PublicAccessBlockConfiguration"),
        without("Bucket", "VersioningConfiguration"),
        without("Bucket", "BucketEncryption"),
        drop("BucketPolicy"),
        lambda template: template["Parameters"]["RequireTls"].update(Default="false"),
    ],
    guards.state_outlives_the_stack: [
        lambda template: template["Resources"]["Table"].pop("DeletionPolicy"),
        lambda template: template["Resources"]["Bucket"].pop("UpdateReplacePolicy"),
    ],
    guards.every_lane_has_dead_letters: [
        without("LiveQueue", "RedrivePolicy"),
        lambda template: properties("ScheduledQueue")(template)["RedrivePolicy"].update(maxReceiveCount=3),
        put("BackgroundDlq", "MessageRetentionPeriod", 345600),
        without("LiveDlq", "FifoQueue"),
        drop("HeartbeatDlqAlarm"),
    ],
    guards.every_lane_is_a_fast_fifo: [without("LiveQueue", "FifoQueue"), without("LiveQueue", "FifoThroughputLimit")],
    guards.queues_are_encrypted: [without("HeartbeatDlq", "SqsManagedSseEnabled")],
    guards.a_message_is_hidden_while_its_turn_runs: [
        put("LiveQueue", "VisibilityTimeout", 60),
        without("LiveQueue", "VisibilityTimeout"),
        put("Agent", "Timeout", 900),
    ],
    guards.batches_fail_in_part: [without("AgentLive", "FunctionResponseTypes"), drop("AgentBackground")],
    guards.urls_are_open_as_aws_wants_it: [
        drop("WebhookTelegramURLInvokeAllowPublicAccess"),
        drop("ApiUrlPublicPermissions"),
    ],
    guards.mail_comes_from_our_own_rule: [
        without("MailPermission", "SourceAccount"),
        without("MailPermission", "SourceArn"),
        drop("MailPermission"),
        lambda template: mail_statement(template).pop("Condition"),
        lambda template: mail_statement(template)["Condition"].pop("StringEquals"),
        lambda template: mail_statement(template).update(Resource={"Fn::Sub": "${Bucket.Arn}/*"}),
    ],
    guards.mail_is_forgotten_but_not_lost: [
        lambda template: mail_rule(template).pop("ExpirationInDays"),
        lambda template: mail_rule(template).update(ExpirationInDays=7),
        lambda template: mail_rule(template).update(Prefix="mails/"),
        drop("MailEventInvokeConfig"),
    ],
    guards.nothing_of_mail_exists_without_a_domain: [
        lambda template: template["Resources"]["MailDlq"].pop("Condition"),
        lambda template: template["Parameters"]["MailDomain"].update(Default="example.org"),
        lambda template: template["Conditions"].update(ReceivesMail={"Fn::Equals": ["a", "a"]}),
    ],
    guards.queues_are_closed_to_others: [
        drop("QueuePolicy"),
        queue_statement(0, "Effect", "Allow"),
        queue_statement(1, "Condition", {"Bool": {"aws:PrincipalIsAWSService": "false"}}),
        queue_statement(0, "Action", "sqs:SendMessage"),
        lambda template: properties("QueuePolicy")(template)["Queues"].pop(),
    ],
    guards.nobody_changes_what_happened: [
        allow("ApiRole", Action="dynamodb:UpdateItem", Resource=TABLE),
        allow("AgentRole", Action="dynamodb:DeleteItem", Resource=TABLE),
        lambda template: agent_deny(template).update(Effect="Allow"),
        lambda template: agent_deny(template)["Condition"].clear(),
    ],
    guards.schedules_fire_for_nobody_else: [
        lambda template: scheduler_trust(template).pop("ArnEquals"),
        lambda template: scheduler_trust(template).pop("StringEquals"),
        lambda template: scheduler_trust(template)["ArnEquals"].update({"aws:SourceArn": "arn:aws:scheduler:*:1:schedule-group/*"}),
    ],
    guards.functions_are_their_own_code_alone: [
        put("Agent", "Layers", ["arn:aws:lambda:eu-west-1:1:layer:x:1"]),
        put("Api", "TracingConfig", {"Mode": "Active"}),
        put("ApiUrl", "Cors", {"AllowOrigins": ["*"]}),
    ],
    guards.schedules_are_delivered_once_or_kept: [
        lambda template: properties("ScheduleDaily")(template)["Target"].pop("DeadLetterConfig"),
        lambda template: properties("ScheduleDaily")(template)["Target"].update(Input='{"name":"daily"}'),
    ],
}


class Guards(unittest.TestCase):
    def test_hold(self):
        for guard in guards.GUARDS:
            with self.subTest(guard.__name__):
                self.assertEqual(list(guard(TEMPLATE)), [])

    def test_each_can_fail(self):
        self.assertEqual(set(MUTANTS), set(guards.GUARDS), "every guard needs a mutant")
        for guard, mutants in MUTANTS.items():
            for number, mutate in enumerate(mutants):
                with self.subTest(guard.__name__, mutant=number):
                    template = copy.deepcopy(TEMPLATE)
                    mutate(template)
                    self.assertNotEqual(list(guard(template)), [])

    def test_see_every_function(self):
        channels = {f"Webhook{name}" for name in ("Telegram", "Slack", "Webhook")}
        self.assertLessEqual(channels | {"Agent", "Heartbeat", "Api", "Sandbox", "Mail"}, set(of_type(TEMPLATE, guards.FUNCTION)))


class Permissions(unittest.TestCase):
    maxDiff = None

    def test_are_those_reviewed(self):
        found = policies(TEMPLATE)
        if os.environ.get("UPDATE"):
            GOLDEN.write_text(json.dumps(found, indent=2) + "\n")
        self.assertEqual(found, json.loads(GOLDEN.read_text()), "a permission changed: UPDATE=1 accepts it")

    def test_a_new_one_is_noticed(self):
        template = copy.deepcopy(TEMPLATE)
        statements(properties("HeartbeatRole")(template))[0]["Action"] = "sqs:PurgeQueue"
        self.assertNotEqual(policies(template), json.loads(GOLDEN.read_text()))


class Linters(unittest.TestCase):
    def run_tool(self, *command):
        tool = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, cwd=ROOT,
            env=os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"},
        )
        self.assertEqual(tool.returncode, 0, tool.stdout + tool.stderr)

    def test_template_is_up_to_date(self):
        self.run_tool(sys.executable, ROOT / "infra" / "generate.py", "--check")

    def test_a_new_channel_makes_it_out_of_date(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "infra", folder, dirs_exist_ok=True)
            with (Path(folder) / "channels.yaml").open("a") as channels:
                channels.write("- carrier-pigeon\n")
            check = subprocess.run([sys.executable, f"{folder}/generate.py", "--check"], capture_output=True, text=True)
            self.assertIn("make generate", check.stderr)

    def test_cfn_lint_accepts_the_source(self):
        self.run_tool(ROOT / ".tools/lint/bin/cfn-lint", FILE)

    def test_cfn_lint_accepts_the_expansion(self):
        """Only here it sees what the SAM shorthand becomes, such as batch sizes of FIFO queues."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "expanded.json"
            file.write_text(json.dumps(TEMPLATE, default=str))
            self.run_tool(ROOT / ".tools/lint/bin/cfn-lint", file)

    def test_sam_accepts_it(self):
        self.run_tool(ROOT / ".tools/sam/bin/sam", "validate", "--lint", "--template-file", FILE)


if __name__ == "__main__":
    unittest.main()
