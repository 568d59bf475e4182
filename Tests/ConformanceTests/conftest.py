"""What the tests have in common: a broker for each file, clients, and names that nobody else uses."""

import contextlib
import itertools
import json
import os

import pytest
from botocore.exceptions import ClientError

import digests
from processes import Broker


def pytest_runtest_logreport(report):
    """Tells whoever runs the tests about each of them, a JSON object a line."""
    if not (path := os.environ.get("REPORT")):
        return
    if report.when == "call" or report.outcome != "passed":
        text = "" if report.passed else "\n".join([report.longreprtext, report.capstdout, report.capstderr])
        if report.skipped:
            _, _, text = report.longrepr
        with open(path, "a", encoding="utf-8") as file:
            line = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "text": text}
            file.write(json.dumps(line) + "\n")


@pytest.fixture(scope="session")
def broker():
    broker = Broker()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def stays_up(request):
    """Whatever a test does, the broker is still there after it; if the test fails, its log is shown."""
    yield
    if "broker" in request.fixturenames:
        broker = request.getfixturevalue("broker")
        print("The broker's log ends:\n" + "".join(broker.log[-15:]))
        assert broker.process.poll() is None, "the broker is gone"


@pytest.fixture(scope="session")
def sqs(broker):
    return broker.client("sqs")


@pytest.fixture(scope="session")
def unchecked_sqs(broker):
    """A client that sends what it is given, for what a good client would not send."""
    return broker.client("sqs", parameter_validation=False)


@pytest.fixture(scope="session")
def sns(broker):
    return broker.client("sns")


@pytest.fixture(scope="session")
def unchecked_sns(broker):
    return broker.client("sns", parameter_validation=False)


numbers = itertools.count(1)


@pytest.fixture
def name():
    return f"name-{next(numbers)}"


@pytest.fixture
def make_queue(sqs):
    """Makes queues that nobody else uses."""

    def make(attributes=None, fifo=False, **more):
        name = f"queue-{next(numbers)}" + (".fifo" if fifo else "")
        attributes = {**({"FifoQueue": "true"} if fifo else {}), **(attributes or {})}
        return sqs.create_queue(QueueName=name, Attributes=attributes, **more)["QueueUrl"]

    return make


@pytest.fixture
def queue(make_queue):
    return make_queue()


@pytest.fixture
def make_topic(sns):
    def make(attributes=None, fifo=False, **more):
        name = f"topic-{next(numbers)}" + (".fifo" if fifo else "")
        attributes = {**({"FifoTopic": "true"} if fifo else {}), **(attributes or {})}
        return sns.create_topic(Name=name, Attributes=attributes, **more)["TopicArn"]

    return make


@pytest.fixture
def topic(make_topic):
    return make_topic()


@pytest.fixture
def arn(sqs):
    """The ARN of a queue."""
    return lambda url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def subscribe(sns, arn):
    """Subscribes a queue to a topic, by default with raw delivery."""

    def subscribe(topic, queue, raw=True, **attributes):
        attributes = {**({"RawMessageDelivery": "true"} if raw else {}), **attributes}
        return sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn(queue), Attributes=attributes, ReturnSubscriptionArn=True
        )["SubscriptionArn"]

    return subscribe


@pytest.fixture
def receive(sqs):
    """Receives what there is, up to `count`, and checks its digests; `wait` is for what is on its way."""

    def receive(queue, count=10, wait=0, delete=False, **more):
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=count, WaitTimeSeconds=wait, **more).get(
            "Messages", []
        )
        for message in messages:
            digests.check_received(message)
            if delete:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return messages

    return receive


@pytest.fixture
def bodies(receive):
    return lambda queue, **more: [message["Body"] for message in receive(queue, **more)]


@pytest.fixture
def fails():
    """Expects the error of AWS: `with fails("NotFound", 404): …`"""

    @contextlib.contextmanager
    def fails(code, status=400, shape=None):
        with pytest.raises(ClientError) as caught:
            yield caught
        response = caught.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), response
        assert response["Error"]["Message"]
        assert response["ResponseMetadata"]["RequestId"]
        if shape:
            # The name of the error in the JSON protocol, from `__type`.
            assert response["Error"]["QueryErrorCode"] == shape

    return fails
