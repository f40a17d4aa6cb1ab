"""A function without a product in it: speaks Lambda's Runtime API and makes the AWS calls it is told to.

Tests deploy it in place of every binary, so that the template, its roles and its wiring are tried without a build.
"""

import json
import os
import sys
import urllib.request

import boto3

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def attempt(service, operation, arguments):
    try:
        getattr(boto3.client(service), operation)(**arguments)
        return "ok"
    except Exception as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code", repr(error))


def remember(name, what):
    """Where the test looks whether an event has come this far."""
    item = {"pk": {"S": f"SEEN#{name}"}, "sk": {"S": "-"}, "what": {"S": what}}
    boto3.client("dynamodb").put_item(TableName=os.environ["CHELA_TABLE"], Item=item)


def handle(event):
    if "requestContext" in event:  # a Function URL: pass the body on
        boto3.client("sqs").send_message(
            QueueUrl=os.environ["CHELA_QUEUE_LIVE"], MessageBody=event["body"], MessageGroupId="g", MessageDeduplicationId=event["body"]
        )
        return {"statusCode": 200, "body": os.environ.get("CHANNEL", "api")}
    if "Records" in event:  # a batch of the queues
        for record in event["Records"]:
            remember(record["body"], record["eventSourceARN"].split(":")[-1])
        return {"batchItemFailures": []}
    if "calls" in event:  # the test, through Invoke
        return {"results": [attempt(*call) for call in event["calls"]], "variables": sorted(os.environ)}
    boto3.client("sqs").send_message(  # a firing of a schedule
        QueueUrl=os.environ["CHELA_QUEUE_SCHEDULED"], MessageBody=event["name"], MessageGroupId="g", MessageDeduplicationId=event["name"]
    )


def main():
    while True:
        with urllib.request.urlopen(f"{RUNTIME}/next") as answer:
            request, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
        try:
            kind, result = "response", handle(event)
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            kind, result = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
        body = json.dumps(result).encode()
        urllib.request.urlopen(urllib.request.Request(f"{RUNTIME}/{request}/{kind}", data=body, method="POST")).close()


main()
