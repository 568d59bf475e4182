"""The `aws` command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AWS = str(Path(sys.executable).with_name("aws"))


@pytest.fixture
def aws(broker):
    def aws(*arguments, succeeds=True):
        environment = {**broker.variables(), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [sys.executable, AWS, "--endpoint-url", broker.url, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode == 0) == succeeds, done.stderr
        return done.stdout if succeeds else done.stderr

    return aws


def test_queue(aws, name):
    url = json.loads(aws("sqs", "create-queue", "--queue-name", name))["QueueUrl"]
    sent = json.loads(aws("sqs", "send-message", "--queue-url", url, "--message-body", "Zoë"))
    text = aws("sqs", "receive-message", "--queue-url", url, "--query", "Messages[].[MessageId,Body,ReceiptHandle]", "--output", "text")
    id, body, handle = text.strip().split("\t")
    assert (id, body) == (sent["MessageId"], "Zoë")
    assert aws("sqs", "delete-message", "--queue-url", url, "--receipt-handle", handle) == ""
    counts = aws("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All", "--output", "json")
    assert json.loads(counts)["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
    assert url in aws("sqs", "list-queues", "--output", "text")
    aws("sqs", "tag-queue", "--queue-url", url, "--tags", "team=blue")
    assert json.loads(aws("sqs", "list-queue-tags", "--queue-url", url))["Tags"] == {"team": "blue"}
    aws("sqs", "delete-queue", "--queue-url", url)


def test_topic(aws, name, queue, arn, bodies):
    topic = aws("sns", "create-topic", "--name", name, "--output", "text").strip()
    aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn(queue), "--attributes", "RawMessageDelivery=true")
    assert json.loads(aws("sns", "publish", "--topic-arn", topic, "--message", "hello"))["MessageId"]
    assert bodies(queue) == ["hello"]
    assert topic in aws("sns", "list-topics", "--output", "table")


def test_who_am_i(aws, broker):
    assert json.loads(aws("sts", "get-caller-identity"))["UserId"] == broker.key_id


def test_error(aws):
    error = aws("sqs", "get-queue-url", "--queue-name", "not-there", succeeds=False)
    assert "(AWS.SimpleQueueService.NonExistentQueue)" in error and "The specified queue does not exist." in error
