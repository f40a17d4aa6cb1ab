"""Cases of the corpus that AWS itself refuses: the roles and doors of the template, asked as IAM would ask them.

A tenant is a stack of its own: whatever is another tenant's lies in another table, bucket and queue. Within the bucket of
its own stack the agent may list everything: with a condition on the prefix S3 would answer 403 for a file that is missing.
"""

import copy
import fnmatch
import unittest

from guards import the_code_of_the_sandbox_may_nothing, the_sandbox_has_no_route
from template import as_list, expanded, of_type, plain, references, statements

TEMPLATE = expanded()
ROLES = list(of_type(TEMPLATE, "AWS::IAM::Role"))
OURS = ("${Table.Arn}", "${Bucket.Arn}", "${LiveQueue.Arn}")
THEIRS = ("arn:aws:dynamodb:us-east-1:1:table/other", "arn:aws:s3:::other", "arn:aws:sqs:us-east-1:1:other.fifo")
STRANGERS = [name for name in ROLES if name.startswith(("Webhook", "Mail"))]


def may(template, role, action, resource, row=None):
    """Whether a role's own policies let it, where nothing else says anything."""
    for statement in statements(of_type(template, "AWS::IAM::Role")[role]):
        condition = plain(statement.get("Condition", {}))
        rows = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
        if (
            statement["Effect"] == "Allow"
            and any(fnmatch.fnmatchcase(action.lower(), wanted.lower()) for wanted in as_list(statement["Action"]))
            and any(fnmatch.fnmatchcase(resource, plain(wanted)) for wanted in as_list(statement["Resource"]))
            and (row is None or any(fnmatch.fnmatchcase(row, wanted) for wanted in rows))
        ):
            return True
    return False


def reach(template):
    """What somebody could do who has taken over a function, and must not."""
    table, bucket, _ = OURS
    for role in of_type(template, "AWS::IAM::Role"):
        for resource in (table, table + "/index/*"):
            if may(template, role, "dynamodb:Scan", resource):
                yield f"{role}: reads the whole table"
        for other in THEIRS:
            for action in ("dynamodb:GetItem", "dynamodb:Query", "s3:ListBucket", "s3:GetObject", "sqs:SendMessage", "sqs:ReceiveMessage"):
                if may(template, role, action, other) or may(template, role, action, other + "/x"):
                    yield f"{role}: {action} of another tenant"
        if may(template, role, "s3:ListAllMyBuckets", "*") or may(template, role, "dynamodb:ListTables", "*"):
            yield f"{role}: sees what else there is"
        if may(template, role, "ssm:GetParameter", "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/chela/other/x"):
            yield f"{role}: reads secrets of another stage"
    for role in STRANGERS:
        for row in ("S#agent:main:main", "ACCESS#telegram", "SPEND#1"):
            if any(may(template, role, f"dynamodb:{verb}", table, row) for verb in ("GetItem", "Query", "PutItem", "UpdateItem")):
                yield f"{role}: {row}"
        if may(template, role, "s3:ListBucket", bucket) or may(template, role, "s3:GetObject", bucket + "/agents/main/MEMORY.md"):
            yield f"{role}: files of agents"


def sandbox(template):
    """What the function that runs a model's commands could do with its credentials, or reach."""
    for resource in ("*", *OURS, *THEIRS):
        for action in ("s3:PutObject", "sts:AssumeRole", "logs:PutLogEvents", "lambda:InvokeFunction", "ssm:GetParameter", "ec2:RunInstances"):
            if may(template, "SandboxRole", action, resource):
                yield f"{action} of {resource}"
    yield from the_code_of_the_sandbox_may_nothing(template)
    yield from the_sandbox_has_no_route(template)


def doors(template):
    """Who may call a function: everybody through the URL of a channel or of the API, which want a proof; and AWS for us."""
    urls = {name for url in of_type(template, "AWS::Lambda::Url").values() for name in references(url["TargetFunctionArn"])}
    yield from (f"{name} has a URL" for name in urls if name != "Api" and not name.startswith("Webhook"))
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        scoped = permission["Action"] == "lambda:InvokeFunctionUrl" and permission.get("FunctionUrlAuthType") == "NONE"
        scoped = scoped or (permission["Action"] == "lambda:InvokeFunction" and permission.get("InvokedViaFunctionUrl") is True)
        if permission["Principal"] == "*" and not (scoped and references(permission["FunctionName"]) <= urls):
            yield f"{name}: everybody may call {plain(permission['FunctionName'])}"
        if permission["Principal"] != "*" and not (permission.get("SourceAccount") and permission.get("SourceArn")):
            yield f"{name}: {permission['Principal']} may call for anybody"


def senders(template):
    """No policy of a queue lets anybody in, so that only roles of this account send, and of these only those that must."""
    for name, policy in of_type(template, "AWS::SQS::QueuePolicy").items():
        if any(statement["Effect"] != "Deny" for statement in policy["PolicyDocument"]["Statement"]):
            yield f"{name} lets others in"
    wanted = {
        "LiveQueue": {"AgentRole", "ApiRole", *STRANGERS},
        # The agent's: a schedule that its owner wants now.
        "ScheduledQueue": {"AgentRole", "HeartbeatRole", "ApiRole"},
        "BackgroundQueue": {"AgentRole", "ApiRole"},
    }
    for queue, few in wanted.items():
        for role in of_type(template, "AWS::IAM::Role"):
            if may(template, role, "sqs:SendMessage", "${%s.Arn}" % queue) != (role in few):
                yield f"{role} and {queue}"
    alarmed = set().union(*(references(alarm["Dimensions"]) for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()))
    yield from (f"{queue}: nobody hears of what was dropped" for queue in of_type(template, "AWS::SQS::Queue") if queue.endswith("Dlq") and queue not in alarmed)


def acknowledgements(template):
    """Without this a batch in which one message failed is taken for done, and the message is gone."""
    for name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping").items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield name


def grant(role, action, resource):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    policy = {"PolicyName": "more", "PolicyDocument": {"Statement": [statement]}}
    return lambda template: template["Resources"][role]["Properties"].setdefault("Policies", []).append(policy)


def put(name, **properties):
    return lambda template: template["Resources"][name]["Properties"].update(properties)


def add(kind, **properties):
    return lambda template: template["Resources"].update(More={"Type": kind, "Properties": properties})


class Corpus(unittest.TestCase):
    def refuses(self, law, *mutants):
        self.assertEqual(list(law(TEMPLATE)), [])
        for number, mutate in enumerate(mutants):
            with self.subTest(mutant=number):
                template = copy.deepcopy(TEMPLATE)
                mutate(template)
                self.assertNotEqual(list(law(template)), [])

    def test_l02_no_role_reads_what_is_not_its_own(self):
        self.assertTrue(may(TEMPLATE, "AgentRole", "dynamodb:GetItem", OURS[0], "S#agent:main:main"), "the questions are asked right")
        self.assertTrue(may(TEMPLATE, "WebhookTelegramRole", "dynamodb:GetItem", OURS[0], "WISHES#x"))
        self.refuses(
            reach,
            grant("AgentRole", "dynamodb:Scan", {"Fn::GetAtt": ["Table", "Arn"]}),
            grant("AgentRole", "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:1:table/*"),
            grant("AgentRole", "s3:*", "*"),
            grant("ApiRole", ["s3:GetObject"], "arn:aws:s3:::*"),
            grant("WebhookTelegramRole", "dynamodb:GetItem", {"Fn::GetAtt": ["Table", "Arn"]}),
            grant("MailRole", "s3:ListBucket", {"Fn::GetAtt": ["Bucket", "Arn"]}),
            grant("ApiRole", "ssm:GetParameter", {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/chela/*"}),
        )

    def test_l03_the_sandbox_may_nothing_and_leads_nowhere(self):
        """That its commands open no socket is tried in shared/sandbox/tests/it/escape.rs."""
        self.refuses(
            sandbox,
            grant("SandboxRole", "s3:PutObject", {"Fn::GetAtt": ["Bucket", "Arn"]}),
            put("SandboxRole", ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
            put("Sandbox", VpcConfig={"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}),
            put("Sandbox", VpcConfig={}),
            put("Sandbox", Environment={"Variables": {"KEY": "k"}}),
            add("AWS::EC2::NatGateway", SubnetId={"Ref": "SandboxSubnetA"}),
        )

    def test_l04_a_function_is_called_through_its_own_door_only(self):
        """That every door wants a proof is a law of all channels, and tried of the API where the template is deployed."""
        self.refuses(
            doors,
            add("AWS::Lambda::Permission", Action="lambda:InvokeFunction", FunctionName={"Ref": "Agent"}, Principal="*"),
            add("AWS::Lambda::Permission", Action="lambda:InvokeFunction", FunctionName={"Ref": "Api"}, Principal="*"),
            add("AWS::Lambda::Permission", Action="lambda:InvokeFunction", FunctionName={"Ref": "Mail"}, Principal="ses.amazonaws.com"),
            add("AWS::Lambda::Url", TargetFunctionArn={"Ref": "Sandbox"}, AuthType="NONE"),
        )

    def test_l05_nobody_else_sends_to_a_queue(self):
        """That a body of another version becomes a dead letter is tried where the template is deployed."""
        self.refuses(
            senders,
            add("AWS::SQS::QueuePolicy", Queues=["q"], PolicyDocument={"Statement": [{"Effect": "Allow", "Principal": "*"}]}),
            grant("SandboxRole", "sqs:SendMessage", {"Fn::GetAtt": ["LiveQueue", "Arn"]}),
            grant("HeartbeatRole", "sqs:*", {"Fn::GetAtt": ["LiveQueue", "Arn"]}),
            lambda template: template["Resources"].pop("LiveDlqAlarm"),
        )

    def test_l07_a_batch_fails_in_part(self):
        self.refuses(acknowledgements, lambda template: template["Resources"]["AgentLive"]["Properties"].pop("FunctionResponseTypes"))


if __name__ == "__main__":
    unittest.main()
