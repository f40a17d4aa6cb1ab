"""The very template, deployed into the emulator with roles enforced, every binary replaced by stand_in.py."""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parent.parent.parent
STAGE = "test"


def run(*command, **environment):
    done = subprocess.run([str(part) for part in command], env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def bootstraps(folder):
    for name in ("webhook", "agent", "heartbeat", "api", "sandbox", "mail"):
        (folder / name).mkdir()
        file = folder / name / "bootstrap"
        file.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{ROOT}/tests/infra/stand_in.py'\n")
    return str(folder)


class Deployment(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.endpoint = run(ROOT / "tools/emulator", "start", "--port", "0", "--auth").strip()
        cls.addClassCleanup(run, ROOT / "tools/emulator", "stop", "--port", cls.endpoint.rsplit(":", 1)[1])
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "chela.json5"
            config.write_text("{}")
            cls.out = json.loads(run(
                ROOT / "tools/deploy-local", "--endpoint", cls.endpoint, "--stage", STAGE, "--config", config,
                "--secret", "telegram/botToken=1:t", "--secret", "slack/signingSecret=s",
                "--secret", "api/key=k", "--secret", "models/key=m", "--secret", "email/webhookSecret=s",
                "--parameter", "MailDomain=example.org", "--parameter", "BedrockModels=anthropic.claude-*",
                CHELA_BOOTSTRAPS=bootstraps(Path(folder)),
            ))

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )

    def post(self, url, body):
        """A Function URL by its own host name, which only the emulator knows."""
        headers = {"Host": url.split("/")[2], "Content-Type": "text/plain"}
        with urllib.request.urlopen(urllib.request.Request(self.endpoint, body.encode(), headers)) as answer:
            return answer.read().decode()

    def wait_for(self, name, seconds):
        """The queue through which the agent has seen it."""
        key = {"pk": {"S": f"SEEN#{name}"}, "sk": {"S": "-"}}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            item = self.client("dynamodb").get_item(TableName=self.out["Table"], Key=key).get("Item")
            if item:
                return item["what"]["S"]
            time.sleep(0.2)
        self.fail(f"{name} has not reached the agent within {seconds} s")

    def invoke(self, function, *calls):
        answer = self.client("lambda").invoke(FunctionName=f"chela-{STAGE}-{function}", Payload=json.dumps({"calls": calls}))
        return json.loads(answer["Payload"].read())

    def check(self, function, allowed, denied):
        results = self.invoke(function, *allowed, *denied)["results"]
        for call, result in zip(allowed + denied, results, strict=True):
            with self.subTest(function, call=call):
                if call in allowed:
                    self.assertEqual(result, "ok")
                else:
                    self.assertIn("AccessDenied", result)

    # The calls the roles are tried with.

    def put_item(self, key="SESSION#x"):
        return ["dynamodb", "put_item", {"TableName": self.out["Table"], "Item": {"pk": {"S": key}, "sk": {"S": "-"}}}]

    def get_item(self, key="x"):
        return ["dynamodb", "get_item", {"TableName": self.out["Table"], "Key": {"pk": {"S": key}, "sk": {"S": "-"}}}]

    def update_item(self, key="SESSION#x"):
        key = {"pk": {"S": key}, "sk": {"S": "-"}}
        return ["dynamodb", "update_item", {"TableName": self.out["Table"], "Key": key, "UpdateExpression": "REMOVE h"}]

    def delete_object(self, key):
        return ["s3", "delete_object", {"Bucket": self.out["Bucket"], "Key": key}]

    def scan(self):
        return ["dynamodb", "scan", {"TableName": self.out["Table"]}]

    def get_object(self, key):
        return ["s3", "get_object", {"Bucket": self.out["Bucket"], "Key": key}]

    def put_object(self, key):
        return ["s3", "put_object", {"Bucket": self.out["Bucket"], "Key": key, "Body": "x"}]

    def secret(self, name):
        return ["ssm", "get_parameter", {"Name": f"/chela/{STAGE}/{name}", "WithDecryption": True}]

    def send(self, queue, body="sent"):
        return ["sqs", "send_message", {
            "QueueUrl": self.out[queue], "MessageBody": body, "MessageGroupId": "g", "MessageDeduplicationId": body,
        }]

    def schedule(self, name):
        daily = self.client("scheduler").get_schedule(Name=f"chela-{STAGE}-daily")["Target"]
        target = {"Arn": daily["Arn"], "RoleArn": daily["RoleArn"]}
        return ["scheduler", "create_schedule", {
            "GroupName": f"chela-{STAGE}", "Name": name, "ScheduleExpression": "rate(1 day)", "State": "DISABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target,
        }]

    def unschedule(self, name, group=f"chela-{STAGE}"):
        return ["scheduler", "delete_schedule", {"GroupName": group, "Name": name}]

    # From end to end

    def test_a_posted_message_reaches_the_agent(self):
        for channel in ("Telegram", "Slack", "Webhook"):
            self.assertEqual(self.post(self.out[f"Webhook{channel}Url"], f"to {channel}"), channel.lower())
        self.assertEqual(self.post(self.out["ApiUrl"], "to api"), "api")
        for name in ("Telegram", "Slack", "Webhook", "api"):
            self.assertEqual(self.wait_for(f"to {name}", 20), f"chela-{STAGE}-live.fifo")

    def test_a_background_message_reaches_the_agent(self):
        _, _, message = self.send("BackgroundQueue", "from behind")
        self.client("sqs").send_message(**message)
        self.assertEqual(self.wait_for("from behind", 20), f"chela-{STAGE}-background.fifo")

    def test_a_schedule_reaches_the_agent(self):
        scheduler = self.client("scheduler")
        schedule = scheduler.get_schedule(Name=f"chela-{STAGE}-daily")
        self.assertEqual(schedule["State"], "DISABLED")  # nobody is woken by a deploy
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        scheduler.update_schedule(
            Name=schedule["Name"], State="ENABLED", ScheduleExpression=soon.strftime("at(%Y-%m-%dT%H:%M:%S)"),
            FlexibleTimeWindow=schedule["FlexibleTimeWindow"], Target=schedule["Target"],
        )
        self.assertEqual(self.wait_for("daily", 60), f"chela-{STAGE}-scheduled.fifo")

    # What each role is for, and what it must not do

    def test_webhook(self):
        # AWS also denies it every other item of the table; the emulator does not know dynamodb:LeadingKeys.
        self.check(
            "webhook-telegram",
            [self.put_item("CONTROL#x"), self.get_item("WISHES#x"), self.get_object("config/chela.json5"), self.secret("telegram/botToken"),
             self.send("LiveQueue"), self.put_object("media/incoming/telegram/1")],
            [self.update_item("CONTROL#x"), self.scan(), self.secret("slack/signingSecret"), self.secret("models/key"), self.put_object("config/chela.json5"),
             self.put_object("media/incoming/slack/1"), self.put_object("media/main/1.png"),
             self.get_object("agents/main/SOUL.md"), self.send("ScheduledQueue"), ["lambda", "invoke", {"FunctionName": f"chela-{STAGE}-sandbox"}]],
        )

    def test_agent(self):
        # AWS also lets it keep schedules whose names begin with "job."; the emulator takes each for one of another group.
        self.check(
            "agent",
            [self.put_item(), self.get_item(), self.update_item(), self.send("LiveQueue"), self.send("BackgroundQueue"), self.send("ScheduledQueue"), self.put_object("agents/main/SOUL.md"), self.get_object("agents/main/SOUL.md"),
             self.put_object("jobs/main.json"), self.get_object("jobs/main.json"), self.delete_object("agents/main/SOUL.md"),
             self.put_object("media/a.png"), self.get_object("config/chela.json5"), self.secret("models/key"), self.secret("telegram/botToken"),
             ["s3", "list_objects_v2", {"Bucket": self.out["Bucket"], "Prefix": "agents/"}],
             ["lambda", "invoke", {"FunctionName": f"chela-{STAGE}-sandbox", "Payload": '{"calls": []}'}],
             ["events", "put_events", {"Entries": [{"Source": "chela", "DetailType": "t", "Detail": "{}", "EventBusName": self.out["Bus"]}]}]],
            [self.scan(), self.put_object("config/chela.json5"), self.schedule("other"), self.unschedule(f"chela-{STAGE}-daily", "default"),
             ["dynamodb", "delete_table", {"TableName": self.out["Table"]}],
             ["dynamodb", "delete_item", {"TableName": self.out["Table"], "Key": {"pk": {"S": "x"}, "sk": {"S": "-"}}}],
             self.delete_object("config/chela.json5"), self.delete_object("media/a.png"), self.put_object("skills/x/SKILL.md"),
             ["lambda", "invoke", {"FunctionName": f"chela-{STAGE}-api"}],
             ["ssm", "get_parameter", {"Name": "/elsewhere/secret"}],
             ["iam", "list_roles", {}]],
        )

    def test_heartbeat(self):
        self.check(
            "heartbeat",
            [self.send("ScheduledQueue"), self.get_object("config/chela.json5"), self.get_object("jobs/main.json")],
            [self.send("LiveQueue"), self.put_object("jobs/main.json"), self.put_item(), self.get_item(), self.secret("telegram/botToken"), self.get_object("agents/main/SOUL.md")],
        )

    def test_mail(self):
        store = ["s3", "put_object", {"Bucket": self.out["Bucket"], "Key": "mail/1", "Body": "From: ada@example.com"}]
        self.client("s3").put_object(**store[2])
        self.check(
            "mail",
            [self.put_item("CONTROL#x"), self.get_item("WISHES#x"), self.get_object("config/chela.json5"), self.get_object("mail/1"), self.put_object("media/incoming/email/1"),
             self.secret("email/webhookSecret"), self.send("LiveQueue")],
            [self.update_item("CONTROL#x"), self.scan(), store, self.secret("telegram/botToken"), self.secret("models/key"), self.get_object("media/a.png"), self.put_object("media/incoming/telegram/1"),
             self.get_object("agents/main/SOUL.md"), self.put_object("config/chela.json5"), self.send("ScheduledQueue"),
             ["lambda", "invoke", {"FunctionName": f"chela-{STAGE}-agent"}]],
        )

    def test_api(self):
        receive = lambda queue: ["sqs", "receive_message", {"QueueUrl": self.out[queue]}]
        self.client("s3").put_object(**self.put_object("agents/main/memory/2026-03-04.md")[2])
        # A dead letter goes back to the lane it came from.
        lanes = [self.send(queue) for queue in ("LiveQueue", "ScheduledQueue", "BackgroundQueue")]
        self.check(
            "api",
            [*lanes, *(receive(queue) for queue in ("LiveDlq", "ScheduledDlq", "BackgroundDlq")), self.put_item("PAIRING#x"), self.get_item(), self.update_item("SPEND#x"), self.secret("api/key"), self.get_object("config/chela.json5"),
             ["sqs", "get_queue_attributes", {"QueueUrl": self.out["LiveQueue"], "AttributeNames": ["All"]}],
             # What agents remember.
             ["s3", "list_objects_v2", {"Bucket": self.out["Bucket"], "Prefix": "agents/main/memory/"}],
             self.get_object("agents/main/memory/2026-03-04.md"), self.put_object("agents/main/index/memory.sqlite"), self.get_object("agents/main/index/memory.sqlite"),
             # A person is forgotten. AWS denies the audit log's partition; the emulator does not know dynamodb:LeadingKeys.
             ["dynamodb", "delete_item", {"TableName": self.out["Table"], "Key": {"pk": {"S": "S#x"}, "sk": {"S": "-"}}}],
             self.delete_object("media/main/a.png"), self.delete_object("agents/main/exports/a.md"), self.delete_object("agents/main/memory/guests/a.md"), self.delete_object("agents/main/index/memory.sqlite")],
            [self.scan(), self.secret("telegram/botToken"), self.get_object("agents/main/SOUL.md"), self.send("LiveDlq"), receive("LiveQueue"),
             self.put_object("agents/main/memory/2026-03-04.md"), self.put_object("config/chela.json5"), self.get_object("media/a.png"),
             receive("HeartbeatDlq"), self.delete_object("agents/main/MEMORY.md"), self.delete_object("agents/main/SOUL.md"), self.delete_object("config/chela.json5"), self.delete_object("jobs/main.json")],
        )

    def test_sandbox(self):
        self.check(
            "sandbox",
            [],
            [self.put_item(), self.get_item(), self.get_object("config/chela.json5"), self.secret("models/key"), self.send("LiveQueue"),
             ["lambda", "invoke", {"FunctionName": f"chela-{STAGE}-agent"}], ["s3", "list_buckets", {}], ["logs", "describe_log_groups", {}]],
        )
        self.assertEqual([name for name in self.invoke("sandbox")["variables"] if name.startswith("CHELA")], [])


if __name__ == "__main__":
    unittest.main()
