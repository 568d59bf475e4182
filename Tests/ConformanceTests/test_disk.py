"""A broker whose disk is full: an error to the sender, and never an acknowledged message that is gone."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from processes import Broker

MEGABYTE = 1 << 20
MOUNT = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"']


class BrokerOnSmallDisk(Broker):
    """A broker whose folder is a file system of 24 MiB that nobody else sees, all but 8 MiB of it taken."""

    def start(self):
        self.launcher = [*MOUNT, self.folder]
        super().start()
        # The broker's own view of its files.
        self.disk = Path(f"/proc/{self.process.pid}/root{self.folder}")
        (self.disk / "ballast").write_bytes(bytes(16 * MEGABYTE))

    def make_room(self):
        (self.disk / "ballast").unlink()


@pytest.fixture
def small_disk():
    folder = tempfile.mkdtemp()
    try:
        mounts = shutil.which("unshare") and subprocess.run([*MOUNT, folder, "true"], capture_output=True)
        if not mounts or mounts.returncode != 0:
            pytest.skip("A file system of its own needs Linux's unshare, and root.")
    finally:
        Path(folder).rmdir()
    broker = BrokerOnSmallDisk()
    yield broker
    print("The broker's log ends:\n" + "".join(broker.log[-15:]))
    broker.stop()


@pytest.fixture(params=["queue", "FIFO queue", "topic"])
def way(request, small_disk):
    """How messages get into a queue: its URL, and what sends one."""
    sqs, sns = small_disk.client("sqs"), small_disk.client("sns")
    if request.param == "queue":
        url = sqs.create_queue(QueueName="full")["QueueUrl"]
        return url, lambda body: sqs.send_message(QueueUrl=url, MessageBody=body)
    if request.param == "FIFO queue":
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        url = sqs.create_queue(QueueName="full.fifo", Attributes=attributes)["QueueUrl"]
        return url, lambda body: sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="one")
    url = sqs.create_queue(QueueName="full")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="full")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url, lambda body: sns.publish(TopicArn=topic, Message=body)


def test_full_disk(small_disk, way):
    url, put = way
    sqs = small_disk.client("sqs")
    acknowledged, refused = [], []

    def send(number):
        try:
            put(f"{number} ".ljust(100_000, "x"))
            acknowledged.append(number)
        except ClientError as error:
            refused.append(number)
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert error.response["Error"]["Code"] == "ServiceUnavailable"
            assert "disk is full" in error.response["Error"]["Message"]

    number = 0
    while len(refused) < 20:
        assert (number := number + 1) < 1000, "the disk does not fill up"
        send(number)
    assert acknowledged and small_disk.process.poll() is None

    # What is there can be read, although nothing can be written.
    [message] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=1)["Messages"]
    handle = message["ReceiptHandle"]
    try:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
        acknowledged.remove(int(message["Body"].split()[0]))
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ServiceUnavailable"

    small_disk.make_room()
    for number in range(number + 1, number + 11):
        send(number)
        assert number in acknowledged, "there is room again"

    received = []
    while True:
        # Longer than the message above stays hidden.
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, WaitTimeSeconds=2)
        if not (messages := answer.get("Messages")):
            break
        received += [int(message["Body"].split()[0]) for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert (received if url.endswith(".fifo") else sorted(received)) == acknowledged
