"""What must hold of the expanded template. A guard yields one sentence for each thing that is wrong."""

import re

from template import as_list, either_way, leading_keys, of_type, plain, references, statements, written

FUNCTION = "AWS::Lambda::Function"
LANES = ["Live", "Scheduled", "Background"]
# The contract with the functions. Nothing secret is among them: secrets are read from their store.
VARIABLES = {
    "CHANNEL", "CHELA_STAGE", "CHELA_LOG", "CHELA_TABLE", "CHELA_BUCKET", "CHELA_BUS", "CHELA_SANDBOX",
    "CHELA_QUEUE_LIVE", "CHELA_QUEUE_SCHEDULED", "CHELA_QUEUE_BACKGROUND", "CHELA_HEARTBEAT_ARN", "CHELA_SCHEDULER_ROLE_ARN",
}

INDEX = "agents/*/index/memory.sqlite"
# Partitions of conversations, and those that hold something of a person beside them.
SESSIONS = {"S#*", "H#*"}
FORGOTTEN = SESSIONS | {"CONTROL#*", "WISHES#*", "LIST#*", "ACCESS#*", "FLAGGED", "REQUESTS"}
# Schedules of agents' making, and no other of the account.
MADE = ":schedule/chela-${Stage}/job.*"
# What the owner names of Amazon Bedrock; nothing else of it is ours.
MODELS = (":bedrock:*::foundation-model/${BedrockModels}", ":inference-profile/*.${BedrockModels}")

# What Lambda needs to place a function in a VPC. The code of that function is denied everything.
PLACING = {
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
}
OWN_CODE = {"ArnEquals": {"lambda:SourceFunctionArn": {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:chela-${Stage}-sandbox"}}}


def allowed(template):
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for statement in statements(role):
            if statement["Effect"] == "Allow":
                yield name, statement


def permissions_are_in_the_roles(template):
    """Otherwise the guards below, and policies.json, would not see them."""
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        for name in of_type(template, kind):
            yield f"{name}: a policy outside its role"
    for name, role in of_type(template, "AWS::IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield f"{name}: a managed policy may change without us"


def actions_are_named(template):
    for name, statement in allowed(template):
        if "NotAction" in statement or any("*" in action for action in as_list(statement["Action"])):
            yield f"{name}: {statement}"


def resources_are_ours(template):
    for name, statement in allowed(template):
        if name == "SandboxRole" and PLACING.issuperset(as_list(statement.get("Action", "*"))):
            continue  # of the_code_of_the_sandbox_may_nothing
        for resource in as_list(statement.get("Resource", "*")):
            text = plain(resource)
            named = "/chela/${Stage}/" in text or text.endswith((":identity/${MailDomain}", MADE, *MODELS))
            if not references(text) & set(template["Resources"]) and not named:
                yield f"{name}: {text}"


def only_the_role_that_fires_is_passed_on(template):
    """Whoever hands a role to a service can do what the role can."""
    for name, statement in allowed(template):
        if any(action.startswith("iam:") for action in as_list(statement["Action"])):
            passed = [plain(resource) for resource in as_list(statement.get("Resource", "*"))]
            to = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
            if as_list(statement["Action"]) != ["iam:PassRole"] or passed != ["${SchedulerRole.Arn}"] or to != "scheduler.amazonaws.com":
                yield f"{name}: {statement}"


def nobody_scans_or_drops(template):
    """Rows are deleted by the one that is asked to forget a person, and the log of what was done is not among them."""
    for name, statement in allowed(template):
        for action in as_list(statement["Action"]):
            if action in ("dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:BatchWriteItem") or action.startswith("dynamodb:PartiQL"):
                yield f"{name}: {action}"
            if action == "dynamodb:DeleteItem":
                for key in set(leading_keys(statement)) - (FORGOTTEN if name == "ApiRole" else set()):
                    yield f"{name}: {action} of {key}"


def few_rows_are_open_to_who_faces_the_world(template):
    """Whoever parses what strangers sent reads and writes named partitions only; the api changes rows of spending and of sessions only."""
    strangers = {"dynamodb:PutItem": {"CONTROL#*", "CHANNELS#*"}, "dynamodb:GetItem": {"WISHES#*"}, "dynamodb:": set()}
    for name, statement in allowed(template):
        named = strangers if name.startswith(("Webhook", "Mail")) else {"dynamodb:UpdateItem": {"SPEND#*", *SESSIONS}} if name == "ApiRole" else {}
        keys = leading_keys(statement)
        for action in as_list(statement["Action"]):
            partitions = named.get(action, named.get(action.split(":")[0] + ":"))
            for key in set(keys) - partitions if partitions is not None else ():
                yield f"{name}: {action} of {key}"


def notes_are_all_of_a_workspace_that_the_api_reads(template):
    """It faces the world: what an agent is told about itself, and what it works on, is not shown there, let alone changed."""
    shown = {f"${{Bucket.Arn}}/{part}" for part in ("config/*", "agents/*/MEMORY.md", "agents/*/USER.md", "agents/*/memory/*", INDEX)}
    # Of whoever is to be forgotten: what they sent, what was made of it, and what was to be done for them later.
    jobs = "${Bucket.Arn}/jobs/*.json"
    removed = {f"${{Bucket.Arn}}/{part}" for part in ("media/*", "agents/*/exports/*", "agents/*/memory/guests/*", INDEX)}
    files = {"s3:GetObject": shown | {jobs}, "s3:PutObject": {f"${{Bucket.Arn}}/{INDEX}", jobs}, "s3:ListBucket": {"${Bucket.Arn}"}, "s3:DeleteObject": removed}
    for statement in statements(of_type(template, "AWS::IAM::Role")["ApiRole"]):
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                if action.startswith("s3:") and plain(resource) not in files.get(action, ()):
                    yield f"{action} of {plain(resource)}"


def models_cost_nothing_until_somebody_wants_them(template):
    if template["Parameters"]["BedrockModels"]["Default"]:
        yield "models nobody asked for"
    # All models of one maker at most: those of a market place are charged by strangers.
    pattern = template["Parameters"]["BedrockModels"]["AllowedPattern"]
    for text, fits in (("anthropic.claude-*", True), ("", True), ("*", False), ("*.claude", False), ("a.b/*", False)):
        if bool(re.fullmatch(pattern, text)) != fits:
            yield f"the parameter takes {text}" if not fits else f"the parameter does not take {text}"
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for statement in written(role):
            either = statement.get("Fn::If", ["", statement])
            if "bedrock" in str(either[1]) and (name, either[0]) != ("AgentRole", "HasBedrock"):
                yield f"{name}: {either[1]}"


def every_function_has_its_own_role(template):
    seen = set()
    for name, function in of_type(template, FUNCTION).items():
        role = plain(function["Role"])
        if role in seen or role.split(".")[0][2:] not in of_type(template, "AWS::IAM::Role"):
            yield f"{name}: {role}"
        seen.add(role)


def the_code_of_the_sandbox_may_nothing(template):
    role = of_type(template, "AWS::IAM::Role")["SandboxRole"]
    if role.get("ManagedPolicyArns"):
        yield "the sandbox may what AWS thinks it should"
    denied = []
    for statement in statements(role):
        if statement["Effect"] == "Deny":
            denied.append((statement.get("Action"), statement.get("Resource"), statement.get("Condition")))
        elif not PLACING.issuperset(as_list(statement.get("Action", "*"))):
            yield f"the sandbox may do something: {statement}"
    if denied != [("*", "*", OWN_CODE)]:
        yield f"the code of the sandbox may use what Lambda needs: {denied}"
    function = of_type(template, FUNCTION)["Sandbox"]
    if plain(function["FunctionName"]) != "chela-${Stage}-sandbox":
        yield "it is denied to another function"
    if any(function.get(key) for key in ("Environment", "Layers", "FileSystemConfigs")):
        yield "the sandbox carries something"
    if references(function["Role"]) != {"SandboxRole"}:
        yield "the sandbox has another role"


def the_sandbox_has_no_route(template):
    """Not only for its commands, which can open no socket: for whoever has broken out of them, too."""
    network = of_type(template, FUNCTION)["Sandbox"].get("VpcConfig", {})
    subnets, groups, nets = (of_type(template, f"AWS::EC2::{kind}") for kind in ("Subnet", "SecurityGroup", "VPC"))
    if len(network.get("SubnetIds", [])) < 2 or references(network.get("SubnetIds")) != set(subnets):
        yield "it is not in its two subnets"
    if references(network.get("SecurityGroupIds")) != set(groups) or len(groups) != 1:
        yield "it is not in its group"
    if network.get("Ipv6AllowedForDualStack"):
        yield "it has addresses of version 6"
    for name, resource in template["Resources"].items():
        kind = resource["Type"]
        # Gateways, routes, endpoints, peers, further rules and addresses: whatever there is of them leads somewhere.
        if kind.startswith("AWS::EC2::") and kind not in ("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup"):
            yield f"{name}: {kind}"
    for name, net in nets.items():
        if net.get("EnableDnsSupport") is not False:
            yield f"{name}: questions for names carry data out, and no group filters them"
    for name, subnet in subnets.items():
        if subnet.get("MapPublicIpOnLaunch") or references(subnet["VpcId"]) != {"SandboxVpc"} or "Ipv6CidrBlock" in subnet:
            yield f"{name}: {subnet}"
    for name, group in groups.items():
        out = [(rule.get("IpProtocol"), rule.get("CidrIp")) for rule in group.get("SecurityGroupEgress", [])]
        if out != [("-1", "127.0.0.1/32")]:
            yield f"{name}: lets something out: {out}"
        if group.get("SecurityGroupIngress") or references(group.get("VpcId")) != {"SandboxVpc"}:
            yield f"{name}: lets something in"
    for name, function in of_type(template, FUNCTION).items():
        if name != "Sandbox" and function.get("VpcConfig"):
            yield f"{name}: beside the sandbox, in its reach"


def every_function_has_a_ceiling(template):
    for name, function in of_type(template, FUNCTION).items():
        if "ReservedConcurrentExecutions" not in function:
            yield name


def every_log_is_forgotten(template):
    groups = of_type(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if "RetentionInDays" not in group:
            yield name
    for name, function in of_type(template, FUNCTION).items():
        group = references(function.get("LoggingConfig", {}).get("LogGroup"))
        if name != "Sandbox" and not group & set(groups):  # the sandbox may not log at all
            yield f"{name}: its log group would be kept for ever"


def variables_are_the_contract(template):
    for name, function in of_type(template, FUNCTION).items():
        for variable in set(function.get("Environment", {}).get("Variables", {})) - VARIABLES:
            yield f"{name}: {variable}"


def the_table_forgets_and_recovers(template):
    table = of_type(template, "AWS::DynamoDB::Table")["Table"]
    if table.get("TimeToLiveSpecification") != {"AttributeName": "ttl", "Enabled": True}:
        yield "no time to live"
    if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
        yield "no point-in-time recovery"
    if not table.get("SSESpecification", {}).get("SSEEnabled"):
        yield "not encrypted"
    if table.get("BillingMode") != "PAY_PER_REQUEST":
        yield "billed while idle"


def the_bucket_is_private(template):
    bucket = of_type(template, "AWS::S3::Bucket")["Bucket"]
    block = bucket.get("PublicAccessBlockConfiguration", {})
    if not all(block.get(key) for key in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")):
        yield "may be made public"
    if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
        yield "not versioned"
    if not bucket.get("BucketEncryption"):
        yield "not encrypted"
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    policies = of_type(template, "AWS::S3::BucketPolicy").values()
    if not any(s["Effect"] == "Deny" and s.get("Condition") == tls for p in policies for s in either_way(p["PolicyDocument"]["Statement"])):
        yield "answers plain HTTP"
    if template["Parameters"]["RequireTls"]["Default"] != "true":
        yield "answers plain HTTP unless told otherwise"


def state_outlives_the_stack(template):
    for name in ("Table", "Bucket"):
        for key in ("DeletionPolicy", "UpdateReplacePolicy"):
            if template["Resources"][name].get(key) != "Retain":
                yield f"{name}: {key}"


def every_lane_has_dead_letters(template):
    queues = of_type(template, "AWS::SQS::Queue")
    alarmed = set().union(*(references(a["Dimensions"]) for a in of_type(template, "AWS::CloudWatch::Alarm").values()))
    for lane in LANES:
        queue, letters = queues[f"{lane}Queue"], queues.get(f"{lane}Dlq", {})
        redrive = queue.get("RedrivePolicy", {})
        if references(redrive.get("deadLetterTargetArn")) != {f"{lane}Dlq"}:
            yield f"{lane}: no dead-letter queue"
        # "Try later" counts as a receive: with few, a turn that waits would be thrown away, and those behind it untried.
        if redrive.get("maxReceiveCount", 0) < 100:
            yield f"{lane}: gives up too early"
        if not letters.get("FifoQueue") or letters.get("MessageRetentionPeriod") != 14 * 86400:
            yield f"{lane}: dead letters are not kept in order for 14 days"
    for name in queues:
        if name.endswith("Dlq") and name not in alarmed:
            yield f"{name}: no alarm"


def every_lane_is_a_fast_fifo(template):
    for name in (f"{lane}Queue" for lane in LANES):
        queue = of_type(template, "AWS::SQS::Queue")[name]
        if not queue.get("FifoQueue"):
            yield f"{name}: no order"
        if (queue.get("DeduplicationScope"), queue.get("FifoThroughputLimit")) != ("messageGroup", "perMessageGroupId"):
            yield f"{name}: 300 messages a second at most"


def queues_are_encrypted(template):
    for name, queue in of_type(template, "AWS::SQS::Queue").items():
        if not queue.get("SqsManagedSseEnabled"):
            yield name


def a_message_is_hidden_while_its_turn_runs(template):
    timeout = of_type(template, FUNCTION)["Agent"]["Timeout"]
    for lane in LANES:
        if of_type(template, "AWS::SQS::Queue")[f"{lane}Queue"].get("VisibilityTimeout", 30) < timeout:
            yield f"{lane}: seen again before the agent's {timeout} s are over"


def batches_fail_in_part(template):
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    if {name for mapping in mappings.values() for name in references(mapping["EventSourceArn"])} != {f"{lane}Queue" for lane in LANES}:
        yield "not every lane is worked"
    for name, mapping in mappings.items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one failure repeats the whole batch"


def urls_are_open_as_aws_wants_it(template):
    """Since October 2025 a public URL needs both permissions; with one it answers 403."""
    granted = {(p["Action"], *references(p["FunctionName"])) for p in of_type(template, "AWS::Lambda::Permission").values()}
    for url in of_type(template, "AWS::Lambda::Url").values():
        (function,) = references(url["TargetFunctionArn"])
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if (action, function) not in granted:
                yield f"{function}: {action}"


def schedules_are_delivered_once_or_kept(template):
    for name, schedule in of_type(template, "AWS::Scheduler::Schedule").items():
        target = schedule["Target"]
        if references(target["RoleArn"]) != {"SchedulerRole"}:
            yield f"{name}: another role"
        if not target.get("DeadLetterConfig") or not target.get("RetryPolicy"):
            yield f"{name}: a firing may be lost"
        if '"scheduledTime":"<aws.scheduler.scheduled-time>"' not in target["Input"]:
            yield f"{name}: a firing that comes twice would not be known"


def mail_comes_from_our_own_rule(template):
    """SES works for everybody: without these, anybody's rule could store in our bucket and invoke our function."""
    ours = ":receipt-rule-set/chela-${Stage}:receipt-rule/"
    doors = {}
    for name, permission in of_type(template, "AWS::Lambda::Permission").items():
        if permission["Principal"] == "ses.amazonaws.com":
            doors[name] = (permission.get("SourceAccount"), permission.get("SourceArn"))
    for name, policy in of_type(template, "AWS::S3::BucketPolicy").items():
        for statement in either_way(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] == "Allow":
                condition = statement.get("Condition", {})
                doors[f"{name}: {statement['Sid']}"] = (
                    condition.get("StringEquals", {}).get("aws:SourceAccount"), condition.get("ArnLike", {}).get("aws:SourceArn")
                )
                if plain(statement["Resource"]) != "${Bucket.Arn}/mail/*" or statement["Action"] != "s3:PutObject":
                    yield f"{name}: more than mail"
    if len(doors) != 2:
        yield "SES needs a permission for the function and one for the bucket"
    for name, (account, rule) in doors.items():
        if plain(account) != "${AWS::AccountId}" or ours not in str(plain(rule)):
            yield f"{name}: also from others"


def mail_is_forgotten_but_not_lost(template):
    rules = of_type(template, "AWS::S3::Bucket")["Bucket"]["LifecycleConfiguration"]["Rules"]
    rule = next((rule for rule in rules if rule.get("Prefix") == "mail/"), {})
    if rule.get("Status") != "Enabled" or not rule.get("ExpirationInDays") or "NoncurrentVersionExpiration" not in rule:
        yield "mail would be kept for ever"
    letters = of_type(template, "AWS::SQS::Queue").get("MailDlq", {}).get("MessageRetentionPeriod", 0)
    if rule.get("ExpirationInDays", 0) * 86400 < letters:
        yield "a dead letter would name mail that is gone"
    failing = [invoke["DestinationConfig"] for invoke in of_type(template, "AWS::Lambda::EventInvokeConfig").values()
               if references(invoke["FunctionName"]) == {"Mail"}]
    if not any(references(destination) == {"MailDlq"} for destination in failing):
        yield "mail that cannot be handed on would be forgotten"


def nothing_of_mail_exists_without_a_domain(template):
    for name, resource in template["Resources"].items():
        if name.startswith("Mail") and resource.get("Condition") not in ("HasMail", "ReceivesMail"):
            yield name
    for name, wanted in (("HasMail", {"MailDomain"}), ("ReceivesMail", {"HasMail", "RefusePlainHttp"})):
        if not wanted <= set(re.findall(r"\w+", str(template["Conditions"][name]))):
            yield f"{name}: {template['Conditions'][name]}"
    if template["Parameters"]["MailDomain"]["Default"]:
        yield "a domain nobody asked for"


def queues_are_closed_to_others(template):
    """No policy of a queue lets anybody in, and one keeps plain HTTP and other accounts out of every queue that is always there."""
    denied, kept = set(), set()
    for name, policy in of_type(template, "AWS::SQS::QueuePolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] != "Deny":
                yield f"{name}: lets somebody in"
            elif statement["Principal"] == "*" and statement["Action"] == "sqs:*" and statement["Resource"] == "*":
                condition = plain(statement["Condition"])
                denied |= {"plain"} if condition == {"Bool": {"aws:SecureTransport": "false"}} else set()
                others = {"StringNotEquals": {"aws:PrincipalAccount": "${AWS::AccountId}"}, "Bool": {"aws:PrincipalIsAWSService": "false"}}
                denied |= {"others"} if condition == others else set()
        kept |= references(policy["Queues"])
    if denied != {"plain", "others"}:
        yield f"queues keep out only {denied}"
    for name in set(of_type(template, "AWS::SQS::Queue")) - kept - {"MailDlq"}:
        yield f"{name}: open to whoever a role elsewhere lets"


def nobody_changes_what_happened(template):
    """The audit log is added to. Whoever may update or delete rows may not its."""
    for name, role in of_type(template, "AWS::IAM::Role").items():
        denied = set()
        for statement in statements(role):
            keys = statement.get("Condition", {}).get("ForAnyValue:StringLike", {}).get("dynamodb:LeadingKeys", [])
            if statement["Effect"] == "Deny" and plain(statement["Resource"]) == "${Table.Arn}" and keys == ["AUDIT*"]:
                denied |= set(as_list(statement["Action"]))
        for statement in statements(role):
            for action in {"dynamodb:UpdateItem", "dynamodb:DeleteItem"} & set(as_list(statement.get("Action", []))) - denied:
                if statement["Effect"] == "Allow" and any(key == "*" or key.startswith("AUDIT") for key in leading_keys(statement)):
                    yield f"{name}: {action}"


def schedules_fire_for_nobody_else(template):
    """Scheduler works for everybody, and for every stage of an account."""
    for statement in of_type(template, "AWS::IAM::Role")["SchedulerRole"]["AssumeRolePolicyDocument"]["Statement"]:
        condition = plain(statement.get("Condition", {}))
        groups = as_list(condition.get("ArnEquals", {}).get("aws:SourceArn", "*"))
        if condition.get("StringEquals", {}).get("aws:SourceAccount") != "${AWS::AccountId}":
            yield "for other accounts"
        if any(not group.endswith((":schedule-group/default", ":schedule-group/chela-${Stage}")) for group in groups):
            yield f"for other schedules: {groups}"


def functions_are_their_own_code_alone(template):
    """Layers are code of others, a tracer is told what is called, and a page of elsewhere needs no door."""
    for name, function in of_type(template, FUNCTION).items():
        if function.get("Layers") or function.get("FileSystemConfigs") or function.get("TracingConfig", {}).get("Mode") == "Active":
            yield name
    for name, url in of_type(template, "AWS::Lambda::Url").items():
        if url.get("Cors"):
            yield f"{name}: pages of elsewhere may call it"


GUARDS = [value for value in list(globals().values()) if getattr(value, "__module__", "") == __name__ and value is not allowed]
