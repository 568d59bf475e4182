"""FIFO queues and topics: order within a group, and nothing twice."""

import concurrent.futures
import json
import random

import pytest

from processes import eventually


@pytest.fixture
def fifo(make_queue):
    return make_queue(fifo=True)


@pytest.fixture
def send(sqs):
    def send(queue, body, group="g", id=None, **more):
        return sqs.send_message(
            QueueUrl=queue, MessageBody=body, MessageGroupId=group, **({"MessageDeduplicationId": id or body}), **more
        )

    return send


def test_order_within_a_group(sqs, fifo, send, receive):
    numbers = [int(send(fifo, str(i))["SequenceNumber"]) for i in range(12)]
    assert numbers == sorted(set(numbers))
    got = receive(fifo, delete=True) + receive(fifo, delete=True)
    assert [message["Body"] for message in got] == [str(i) for i in range(12)]


def test_system_attributes(fifo, send, receive):
    sent = send(fifo, "body", group="group", id="dedup")
    [message] = receive(fifo, MessageSystemAttributeNames=["All"])
    expected = {
        "MessageGroupId": "group",
        "MessageDeduplicationId": "dedup",
        "SequenceNumber": sent["SequenceNumber"],
        "ApproximateReceiveCount": "1",
    }
    assert expected.items() <= message["Attributes"].items()
    assert len(sent["SequenceNumber"]) == 20


def test_a_group_waits_for_what_is_in_flight(sqs, fifo, send, receive, bodies):
    for body, group in [("a1", "a"), ("a2", "a"), ("b1", "b")]:
        send(fifo, body, group)
    [first] = receive(fifo, count=1)
    assert first["Body"] == "a1"
    assert bodies(fifo) == ["b1"]
    assert bodies(fifo) == []
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(fifo, wait=5) == ["a2"]


def test_a_message_that_comes_back_is_first_again(sqs, fifo, send, receive, bodies):
    for body in ["1", "2", "3"]:
        send(fifo, body)
    [message] = receive(fifo, count=1)
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(fifo, wait=5) == ["1", "2", "3"]


def test_deduplication_by_id(sqs, fifo, send, receive, bodies):
    first, again = send(fifo, "first", id="same"), send(fifo, "other body", id="same")
    assert (first["MessageId"], first["SequenceNumber"]) == (again["MessageId"], again["SequenceNumber"])
    # Also in another group, and after it was deleted.
    send(fifo, "another group", group="h", id="same")
    assert [message["Body"] for message in receive(fifo, delete=True)] == ["first"]
    send(fifo, "deleted", id="same")
    assert bodies(fifo) == []


def test_deduplication_by_content(make_queue, sqs, bodies):
    queue = make_queue({"ContentBasedDeduplication": "true"}, fifo=True)
    for body in ["a", "a", "b"]:
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g")
    # An id wins over the content, and attributes are no part of it.
    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageGroupId="g", MessageDeduplicationId="own")
    attributes = {"n": {"DataType": "Number", "StringValue": "1"}}
    sqs.send_message(QueueUrl=queue, MessageBody="b", MessageGroupId="g", MessageAttributes=attributes)
    assert bodies(queue) == ["a", "b", "a"]


def test_deduplication_in_each_group(make_queue, send, bodies):
    queue = make_queue(
        {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}, fifo=True
    )
    for group in ["a", "b", "a"]:
        send(queue, f"of {group}", group=group, id="same")
    assert sorted(bodies(queue)) == ["of a", "of b"]


def test_deduplication_within_a_batch(sqs, fifo, bodies):
    entries = [
        {"Id": str(i), "MessageBody": str(i), "MessageGroupId": "g", "MessageDeduplicationId": id}
        for i, id in enumerate(["x", "y", "x"])
    ]
    answer = sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    ids = {entry["Id"]: entry["MessageId"] for entry in answer["Successful"]}
    assert ids["0"] == ids["2"] != ids["1"]
    assert bodies(fifo) == ["0", "1"]


def test_what_a_message_must_have(unchecked_sqs, fifo, make_queue, fails):
    with fails("MissingParameter"):
        unchecked_sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageDeduplicationId="d")
    with fails("InvalidParameterValue"):
        unchecked_sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageGroupId="g")
    with fails("InvalidParameterValue"):
        unchecked_sqs.send_message(
            QueueUrl=fifo, MessageBody="a", MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=1
        )
    for bad in ["x" * 129, "white space", "é"]:
        with fails("InvalidParameterValue"):
            unchecked_sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageGroupId=bad, MessageDeduplicationId="d")
        with fails("InvalidParameterValue"):
            unchecked_sqs.send_message(QueueUrl=fifo, MessageBody="a", MessageGroupId="g", MessageDeduplicationId=bad)
    with fails("InvalidParameterValue"):
        unchecked_sqs.send_message(QueueUrl=make_queue(), MessageBody="a", MessageDeduplicationId="d")


@pytest.mark.parametrize("lacks", ["MessageGroupId", "MessageDeduplicationId"])
def test_a_batch_in_which_one_lacks_an_id_is_refused(sqs, fifo, bodies, fails, lacks):
    entries = [
        {"Id": id, "MessageBody": id, "MessageGroupId": "g", "MessageDeduplicationId": id} for id in ["a", "b", "c"]
    ]
    del entries[1][lacks]
    with fails("InvalidParameterValue"):
        sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    assert bodies(fifo) == []


def test_the_queues_delay(make_queue, send, bodies):
    queue = make_queue({"DelaySeconds": "1"}, fifo=True)
    send(queue, "later")
    assert bodies(queue) == []
    assert bodies(queue, wait=5) == ["later"]


@pytest.mark.parametrize(
    "attributes", [{"DeduplicationScope": "galaxy"}, {"FifoThroughputLimit": "none"}, {"ContentBasedDeduplication": "x"}]
)
def test_wrong_settings(sqs, fifo, fails, attributes):
    with fails("InvalidAttributeValue"):
        sqs.set_queue_attributes(QueueUrl=fifo, Attributes=attributes)


def test_receive_attempt_id(sqs, fifo, send, receive):
    for i in range(3):
        send(fifo, str(i))
    first = receive(fifo, count=2, ReceiveRequestAttemptId="attempt")
    again = receive(fifo, count=2, ReceiveRequestAttemptId="attempt")
    assert [m["Body"] for m in first] == [m["Body"] for m in again] == ["0", "1"]
    assert receive(fifo) == [] == receive(fifo, ReceiveRequestAttemptId="other")


def test_dead_letters_of_a_fifo_queue(sqs, make_queue, arn, send, receive):
    dead = make_queue(fifo=True)
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})
    queue = make_queue({"RedrivePolicy": policy, "VisibilityTimeout": "0"}, fifo=True)
    for i in range(3):
        send(queue, str(i))
    got = []

    def moved():
        receive(queue, count=1)
        got.extend(message["Body"] for message in receive(dead, delete=True))
        return len(got) == 3

    eventually("all are in the dead-letter queue", moved)
    assert got == ["0", "1", "2"]


def test_an_expired_receipt_deletes_nothing(sqs, fifo, send, receive):
    send(fifo, "a")
    [message] = receive(fifo, VisibilityTimeout=1)
    [again] = receive(fifo, wait=5)
    assert again["MessageId"] == message["MessageId"]
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    assert caught.value.response["Error"]["Code"] in {"InvalidParameterValue", "ReceiptHandleIsInvalid"}


def test_order_with_many_consumers(sqs, fifo, send, receive):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    groups = [f"group-{i}" for i in range(6)]
    plan = [(random.Random(seed + i).choice(groups), i) for i in range(90)]
    for start in range(0, len(plan), 10):
        entries = [
            {"Id": str(n), "MessageBody": f"{group} {n}", "MessageGroupId": group, "MessageDeduplicationId": str(n)}
            for group, n in plan[start : start + 10]
        ]
        assert "Failed" not in sqs.send_message_batch(QueueUrl=fifo, Entries=entries)
    order = []

    def consume(_):
        while messages := receive(fifo, count=3, wait=1):
            for message in messages:
                order.append(message["Body"])
                sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(consume, range(4)))
    for group in groups:
        expected = [f"{g} {n}" for g, n in plan if g == group]
        assert [body for body in order if body.startswith(group + " ")] == expected


# Topics


def test_from_a_fifo_topic(sns, make_topic, fifo, subscribe, receive):
    topic = make_topic(fifo=True)
    subscribe(topic, fifo)
    sent = [
        sns.publish(TopicArn=topic, Message=str(i), MessageGroupId="g", MessageDeduplicationId=str(i % 3))
        for i in range(5)
    ]
    assert sent[0]["MessageId"] == sent[3]["MessageId"] and sent[0]["SequenceNumber"] == sent[3]["SequenceNumber"]
    got = receive(fifo, MessageSystemAttributeNames=["All"])
    assert [message["Body"] for message in got] == ["0", "1", "2"]
    assert {message["Attributes"]["MessageGroupId"] for message in got} == {"g"}
    assert [message["Attributes"]["MessageDeduplicationId"] for message in got] == ["0", "1", "2"]


def test_an_envelope_of_a_fifo_topic_has_no_signature(sns, make_topic, fifo, subscribe, bodies):
    topic = make_topic(fifo=True)
    subscribe(topic, fifo, raw=False)
    sent = sns.publish(TopicArn=topic, Message="a", MessageGroupId="g", MessageDeduplicationId="d")
    [body] = bodies(fifo)
    envelope = json.loads(body)
    names = ["Type", "MessageId", "SequenceNumber", "TopicArn", "Message", "Timestamp", "UnsubscribeURL"]
    assert list(envelope) == names
    assert envelope["SequenceNumber"] == sent["SequenceNumber"]


def test_what_a_fifo_subscription_has_for_dead_letters(sns, make_topic, make_queue, fifo, subscribe, arn, fails):
    topic = make_topic(fifo=True)
    standard = json.dumps({"deadLetterTargetArn": arn(make_queue())})
    with fails("InvalidParameter"):
        subscribe(topic, fifo, RedrivePolicy=standard)
    subscription = subscribe(topic, fifo, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(make_queue(fifo=True))}))
    with fails("InvalidParameter"):
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RedrivePolicy", AttributeValue=standard
        )


def test_a_fifo_topic_may_feed_a_standard_queue(sns, make_topic, queue, subscribe, receive):
    topic = make_topic(fifo=True)
    subscribe(topic, queue)
    sns.publish(TopicArn=topic, Message="a", MessageGroupId="g", MessageDeduplicationId="d")
    [message] = receive(queue, MessageSystemAttributeNames=["All"])
    assert message["Body"] == "a" and "MessageGroupId" not in message["Attributes"]


def test_a_standard_topic_feeds_no_fifo_queue(sns, topic, fifo, arn, fails):
    with fails("InvalidParameter"):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(fifo))


def test_fifo_topics_by_content(sns, make_topic, fifo, subscribe, bodies):
    topic = make_topic({"ContentBasedDeduplication": "true"}, fifo=True)
    subscribe(topic, fifo)
    for message in ["a", "a", "b"]:
        sns.publish(TopicArn=topic, Message=message, MessageGroupId="g")
    assert bodies(fifo) == ["a", "b"]


def test_what_a_fifo_topic_wants(sns, make_topic, topic, name, fails):
    fifo = make_topic(fifo=True)
    assert fifo.endswith(".fifo")
    attributes = sns.get_topic_attributes(TopicArn=fifo)["Attributes"]
    assert attributes["FifoTopic"] == "true" and attributes["ContentBasedDeduplication"] == "false"
    with fails("InvalidParameter"):
        sns.publish(TopicArn=fifo, Message="a", MessageDeduplicationId="d")
    with fails("InvalidParameter"):
        sns.publish(TopicArn=fifo, Message="a", MessageGroupId="g")
    with fails("InvalidParameter"):
        sns.create_topic(Name=f"{name}.fifo")
    with fails("InvalidParameter"):
        sns.create_topic(Name=name, Attributes={"FifoTopic": "true"})


def test_publish_batch_on_a_fifo_topic(sns, make_topic, fifo, subscribe, bodies):
    topic = make_topic(fifo=True)
    subscribe(topic, fifo)
    entries = [
        {"Id": str(i), "Message": str(i), "MessageGroupId": "g", "MessageDeduplicationId": str(i)} for i in range(10)
    ]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert len({entry["SequenceNumber"] for entry in answer["Successful"]}) == 10
    assert bodies(fifo) == [str(i) for i in range(10)]
