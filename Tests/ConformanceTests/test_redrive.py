"""Dead-letter queues, who may use them, and the way back out of them."""

import json

import pytest

from processes import ACCOUNT, REGION, eventually


@pytest.fixture
def make_pair(sqs, make_queue, arn):
    """A queue with its dead-letter queue."""

    def make(receives=1, fifo=False, **attributes):
        dead = make_queue(fifo=fifo)
        policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": receives})
        return make_queue({"RedrivePolicy": policy, "VisibilityTimeout": "0", **attributes}, fifo=fifo), dead

    return make


def test_a_message_moves_after_its_last_receive(sqs, make_pair, receive):
    queue, dead = make_pair(receives=2)
    attributes = {"reason": {"DataType": "String", "StringValue": "none"}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="poison", MessageAttributes=attributes)
    for count in ["1", "2"]:
        [message] = receive(queue, wait=5, MessageSystemAttributeNames=["All"])
        assert message["Attributes"]["ApproximateReceiveCount"] == count
    [message] = eventually(
        "it is in the dead-letter queue",
        lambda: receive(queue) or receive(dead, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]),
    )
    assert (message["Body"], message["MessageId"]) == ("poison", sent["MessageId"])
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["DeadLetterQueueSourceArn"].endswith(":" + queue.rsplit("/")[-1])
    assert receive(queue) == []


@pytest.mark.parametrize("fifo", [False, True])
def test_the_age_of_a_dead_letter(sqs, make_pair, receive, fifo):
    """Moved to the dead-letter queue, a message is as old as it was; in a FIFO queue its age begins anew."""
    queue, dead = make_pair(fifo=fifo)
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if fifo else {}
    sqs.send_message(QueueUrl=queue, MessageBody="poison", **ids)

    def sent(queue):
        return [
            int(message["Attributes"]["SentTimestamp"])
            for message in receive(queue, MessageSystemAttributeNames=["SentTimestamp"])
        ]

    [before] = sent(queue)
    [after] = eventually("it is in the dead-letter queue", lambda: sent(queue) or sent(dead))
    assert after > before if fifo else after == before


def test_the_policy_is_kept_and_taken_away(sqs, make_pair, arn):
    queue, dead = make_pair(receives=3)
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    assert json.loads(found)["deadLetterTargetArn"] == arn(dead)
    assert int(json.loads(found)["maxReceiveCount"]) == 3
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": ""})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == []


def test_sources_come_in_pages(sqs, make_queue, arn):
    dead = make_queue()
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})
    sources = [make_queue({"RedrivePolicy": policy}) for _ in range(5)]
    pages = sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=dead, PaginationConfig={"PageSize": 2}
    )
    assert sorted(url for page in pages for url in page["queueUrls"]) == sorted(sources)


@pytest.mark.parametrize(
    "policy",
    [
        "nonsense",
        "{}",
        '{"maxReceiveCount": 1}',
        '{"deadLetterTargetArn": "DEAD", "maxReceiveCount": 0}',
        '{"deadLetterTargetArn": "DEAD", "maxReceiveCount": 1001}',
        '{"deadLetterTargetArn": "DEAD", "maxReceiveCount": "many"}',
        '{"deadLetterTargetArn": "nonsense", "maxReceiveCount": 1}',
        f'{{"deadLetterTargetArn": "arn:aws:sqs:{REGION}:{ACCOUNT}:not-there", "maxReceiveCount": 1}}',
    ],
)
def test_bad_policies(sqs, make_queue, arn, policy):
    queue, dead = make_queue(), make_queue()
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.set_queue_attributes(
            QueueUrl=queue, Attributes={"RedrivePolicy": policy.replace("DEAD", arn(dead))}
        )
    error = caught.value.response
    # Which of them it is differs with the kind of fault; AWS isn't consistent in it.
    codes = {"InvalidParameterValue", "InvalidAttributeValue", "AWS.SimpleQueueService.NonExistentQueue"}
    assert error["Error"]["Code"] in codes and error["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_the_dead_letter_queue_is_of_the_same_type(sqs, make_queue, arn, fails):
    policy = {"deadLetterTargetArn": arn(make_queue(fifo=True)), "maxReceiveCount": 1}
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.set_queue_attributes(QueueUrl=make_queue(), Attributes={"RedrivePolicy": json.dumps(policy)})
    assert caught.value.response["Error"]["Code"] in {"InvalidParameterValue", "InvalidAttributeValue"}


@pytest.mark.parametrize("permission", ["denyAll", "byQueue", "allowAll"])
def test_redrive_allow_policy(sqs, make_queue, arn, permission):
    dead, friend, stranger = make_queue(), make_queue(), make_queue()
    allow = {"redrivePermission": permission}
    if permission == "byQueue":
        allow["sourceQueueArns"] = [arn(friend)]
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(allow)})
    found = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["RedriveAllowPolicy"])
    assert json.loads(found["Attributes"]["RedriveAllowPolicy"]) == allow
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})
    for queue, allowed in [(friend, permission != "denyAll"), (stranger, permission == "allowAll")]:
        if allowed:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
        else:
            with pytest.raises(sqs.exceptions.ClientError) as caught:
                sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "policy", ["nonsense", '{"redrivePermission":"some"}', '{"redrivePermission":"byQueue"}', '{"sourceQueueArns":[]}']
)
def test_bad_redrive_allow_policies(sqs, queue, policy):
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedriveAllowPolicy": policy})
    assert caught.value.response["Error"]["Code"] in {"InvalidParameterValue", "InvalidAttributeValue"}


@pytest.fixture
def make_dead_messages(sqs, make_pair, receive):
    """A queue whose dead-letter queue has some messages."""

    def make(entries, **more):
        queue, dead = make_pair(**more)
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)

        def moved():
            receive(queue)
            attributes = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
            return attributes["Attributes"]["ApproximateNumberOfMessages"] == str(len(entries))

        eventually("all have moved", moved)
        return queue, dead

    return make


@pytest.fixture
def dead_messages(make_dead_messages):
    return make_dead_messages([{"Id": str(i), "MessageBody": str(i)} for i in range(3)])


def finished(sqs, source):
    def ask():
        [task] = sqs.list_message_move_tasks(SourceArn=source)["Results"]
        return task if task["Status"] == "COMPLETED" else None

    return eventually("the task is completed", ask)


def test_move_back(sqs, dead_messages, arn, receive):
    queue, dead = dead_messages
    handle = sqs.start_message_move_task(SourceArn=arn(dead))["TaskHandle"]
    assert handle
    task = finished(sqs, arn(dead))
    assert task["SourceArn"] == arn(dead)
    assert task["ApproximateNumberOfMessagesMoved"] == 3
    assert task["StartedTimestamp"] > 1_600_000_000_000
    # What is over has no handle.
    assert "TaskHandle" not in task
    bodies = eventually("they are back", lambda: (found := receive(queue, VisibilityTimeout=60)) and found)
    assert {message["Body"] for message in bodies} <= {"0", "1", "2"}


def test_move_elsewhere(sqs, dead_messages, make_queue, arn, receive):
    _, dead = dead_messages
    other = make_queue()
    sqs.start_message_move_task(SourceArn=arn(dead), DestinationArn=arn(other), MaxNumberOfMessagesPerSecond=500)
    task = finished(sqs, arn(dead))
    assert task["DestinationArn"] == arn(other) and task["MaxNumberOfMessagesPerSecond"] == 500
    got = []
    eventually("all are there", lambda: got.extend(receive(other)) or len(got) == 3)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_move_between_fifo_queues(sqs, make_dead_messages, make_queue, arn, receive, elsewhere):
    """Groups keep their order, and ids that were used a moment ago are no duplicates here."""
    bodies = ["a1", "b1", "a2", "a3", "b2"]
    entries = [
        {"Id": body, "MessageBody": body, "MessageGroupId": body[0], "MessageDeduplicationId": f"id-{body}"}
        for body in bodies
    ]
    queue, dead = make_dead_messages(entries, fifo=True)
    target = make_queue(fifo=True) if elsewhere else queue
    sqs.start_message_move_task(SourceArn=arn(dead), **({"DestinationArn": arn(target)} if elsewhere else {}))
    assert finished(sqs, arn(dead))["ApproximateNumberOfMessagesMoved"] == 5
    got = receive(target, VisibilityTimeout=60, MessageSystemAttributeNames=["All"])
    # Sorted by group alone, they stay in the order in which they came.
    assert sorted((message["Body"] for message in got), key=lambda body: body[0]) == sorted(bodies)
    for message in got:
        body, attributes = message["Body"], message["Attributes"]
        assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == (body[0], f"id-{body}")
    assert receive(dead) == []


def test_a_move_goes_to_a_queue_of_the_same_type(sqs, make_pair, make_queue, arn, fails):
    for fifo in [False, True]:
        _, dead = make_pair(fifo=fifo)
        with fails("InvalidParameterValue"):
            sqs.start_message_move_task(SourceArn=arn(dead), DestinationArn=arn(make_queue(fifo=not fifo)))


def test_cancel_a_move(sqs, dead_messages, make_queue, arn, fails):
    _, dead = dead_messages
    handle = sqs.start_message_move_task(
        SourceArn=arn(dead), DestinationArn=arn(make_queue()), MaxNumberOfMessagesPerSecond=1
    )["TaskHandle"]
    with fails("InvalidParameterValue"):
        sqs.start_message_move_task(SourceArn=arn(dead))
    assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] < 3
    eventually(
        "it is cancelled",
        lambda: sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"][0]["Status"] == "CANCELLED",
    )


def test_wrong_moves(sqs, make_queue, arn, broker, dead_messages):
    queue, dead = dead_messages

    def fails_with(codes, call, **arguments):
        with pytest.raises(sqs.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.value.response
        assert error["Error"]["Code"] in codes, error
        assert error["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)

    missing = {"ResourceNotFoundException", "ResourceNotFound"}
    nowhere = f"arn:aws:sqs:{REGION}:{ACCOUNT}:not-there"
    fails_with(missing, sqs.start_message_move_task, SourceArn=nowhere)
    fails_with(missing, sqs.start_message_move_task, SourceArn=arn(dead), DestinationArn=nowhere)
    fails_with(missing, sqs.list_message_move_tasks, SourceArn=nowhere)
    wrong = {"InvalidParameterValue"}
    fails_with(wrong, sqs.start_message_move_task, SourceArn=arn(make_queue()))
    fails_with(wrong, sqs.start_message_move_task, SourceArn="nonsense")
    for rate in [0, 501]:
        fails_with(wrong, sqs.start_message_move_task, SourceArn=arn(dead), MaxNumberOfMessagesPerSecond=rate)
    fails_with(wrong, sqs.list_message_move_tasks, SourceArn=arn(dead), MaxResults=11)
    fails_with(wrong | missing, sqs.cancel_message_move_task, TaskHandle="nonsense")


def test_messages_expire(sqs, make_queue, receive):
    """The shortest retention is a minute, so that the broker's own tests show its end."""
    queue = make_queue({"MessageRetentionPeriod": "60"})
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    assert len(receive(queue)) == 1
