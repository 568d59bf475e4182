"""Messages of standard queues: sent, received, hidden and deleted."""

import threading
import time

import pytest
from botocore.exceptions import ClientError

import digests
from processes import eventually

MEGABYTE = 1_048_576


def test_send_receive_delete(sqs, queue, receive):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="Zoë & <co> \t\r\n 🚀")
    assert "SequenceNumber" not in sent
    [message] = receive(queue)
    assert message["Body"] == "Zoë & <co> \t\r\n 🚀"
    assert message["MessageId"] == sent["MessageId"]
    assert "Attributes" not in message and "MessageAttributes" not in message
    for _ in range(2):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == counts["ApproximateNumberOfMessages"] == "0"


def test_nothing_there(sqs, queue):
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": "Zoë"},
    "labelled": {"DataType": "String.json", "StringValue": "{}"},
    "number": {"DataType": "Number", "StringValue": "-12.5e3"},
    "whole.number": {"DataType": "Number.int", "StringValue": "42"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff\x80"},
    "Picture": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG"},
}
TRACE = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}


def test_message_attributes(sqs, queue, receive):
    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageAttributes=ATTRIBUTES)
    [message] = receive(queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == ATTRIBUTES


# Each kind of attribute alone, then all together.
SENT = [
    {"MessageBody": "Zoë & <co> \t\r\n 🚀"},
    *({"MessageBody": "a", "MessageAttributes": {name: value}} for name, value in ATTRIBUTES.items()),
    {"MessageBody": "a", "MessageAttributes": ATTRIBUTES, "MessageSystemAttributes": TRACE},
]


@pytest.mark.parametrize("message", SENT)
def test_digests(sqs, queue, message):
    digests.check_sent(sqs.send_message(QueueUrl=queue, **message), message)


def test_digests_of_a_batch(sqs, queue):
    entries = [{"Id": str(i), **message} for i, message in enumerate(SENT)]
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert len(answer["Successful"]) == len(entries)
    for sent in answer["Successful"]:
        digests.check_sent(sent, SENT[int(sent["Id"])])


@pytest.mark.parametrize(
    "asked,expected",
    [
        (["text"], {"text"}),
        (["text", "number", "absent"], {"text", "number"}),
        (["whole.*"], {"whole.number"}),
        ([".*"], set(ATTRIBUTES)),
        (["*"], set(ATTRIBUTES)),
        (["All"], set(ATTRIBUTES)),
        (["absent"], set()),
        ([], set()),
    ],
)
def test_selected_attributes(sqs, queue, receive, asked, expected):
    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageAttributes=ATTRIBUTES)
    [message] = receive(queue, MessageAttributeNames=asked)
    assert set(message.get("MessageAttributes", {})) == expected


@pytest.mark.parametrize(
    "name,value",
    [
        ("a", {"DataType": "String"}),
        ("a", {"DataType": "String", "StringValue": ""}),
        ("a", {"DataType": "String", "StringValue": "\x00"}),
        ("a", {"StringValue": "x"}),
        ("a", {"DataType": "Nonsense", "StringValue": "x"}),
        ("a", {"DataType": "Number", "StringValue": "many"}),
        ("a", {"DataType": "Binary", "StringValue": "x"}),
        ("AWS.mine", {"DataType": "String", "StringValue": "x"}),
        ("Amazon.mine", {"DataType": "String", "StringValue": "x"}),
        (".a", {"DataType": "String", "StringValue": "x"}),
        ("a.", {"DataType": "String", "StringValue": "x"}),
        ("a..b", {"DataType": "String", "StringValue": "x"}),
        ("a b", {"DataType": "String", "StringValue": "x"}),
        ("a" * 257, {"DataType": "String", "StringValue": "x"}),
    ],
)
def test_bad_attributes(unchecked_sqs, queue, fails, name, value):
    with fails("InvalidParameterValue"):
        unchecked_sqs.send_message(QueueUrl=queue, MessageBody="a", MessageAttributes={name: value})


def test_ten_attributes_at_most(sqs, queue, fails):
    def attributes(count):
        return {f"a{i}": {"DataType": "String", "StringValue": "x"} for i in range(count)}

    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageAttributes=attributes(10))
    with fails("InvalidParameterValue"):
        sqs.send_message(QueueUrl=queue, MessageBody="a", MessageAttributes=attributes(11))


def test_system_attributes(sqs, queue, receive):
    before = int(time.time() * 1000)
    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageSystemAttributes=TRACE)
    [message] = receive(queue, MessageSystemAttributeNames=["All"], VisibilityTimeout=0)
    [message] = receive(queue, wait=5, AttributeNames=["All"])
    attributes = message["Attributes"]
    assert attributes["ApproximateReceiveCount"] == "2"
    assert attributes["AWSTraceHeader"] == TRACE["AWSTraceHeader"]["StringValue"]
    assert before - 5000 <= int(attributes["SentTimestamp"]) <= int(attributes["ApproximateFirstReceiveTimestamp"])
    assert attributes["SenderId"]


def test_selected_system_attributes(sqs, queue, receive, fails):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue, MessageSystemAttributeNames=["SentTimestamp"])
    assert set(message["Attributes"]) == {"SentTimestamp"}
    with fails("InvalidAttributeName"):
        receive(queue, MessageSystemAttributeNames=["Nonsense"])


def test_bad_system_attributes(sqs, queue, fails):
    with fails("InvalidParameterValue"):
        sqs.send_message(
            QueueUrl=queue,
            MessageBody="a",
            MessageSystemAttributes={"Nonsense": {"DataType": "String", "StringValue": "x"}},
        )


@pytest.mark.parametrize("body", ["\x00", "a\x08", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_bad_characters(sqs, queue, fails, body):
    with fails("InvalidMessageContents"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def test_empty_body(unchecked_sqs, queue, fails):
    with fails("MissingParameter"):
        unchecked_sqs.send_message(QueueUrl=queue, MessageBody="")


def test_largest_message(sqs, queue, receive, fails):
    sqs.send_message(QueueUrl=queue, MessageBody="x" * MEGABYTE)
    assert len(receive(queue)[0]["Body"]) == MEGABYTE
    with fails("InvalidParameterValue") as caught:
        sqs.send_message(QueueUrl=queue, MessageBody="x" * (MEGABYTE + 1))
    assert "must be shorter than 1048576 bytes" in str(caught.value)
    attributes = {"name": {"DataType": "String", "StringValue": "value"}}
    size = len("name" + "String" + "value")
    sqs.send_message(QueueUrl=queue, MessageBody="x" * (MEGABYTE - size), MessageAttributes=attributes)
    with fails("InvalidParameterValue"):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * (MEGABYTE - size + 1), MessageAttributes=attributes)


def test_the_queues_own_limit(make_queue, sqs, fails):
    queue = make_queue({"MaximumMessageSize": "1024"})
    sqs.send_message(QueueUrl=queue, MessageBody="é" * 512)
    with fails("InvalidParameterValue"):
        sqs.send_message(QueueUrl=queue, MessageBody="é" * 513)


def test_send_batch(sqs, queue, receive):
    entries = [{"Id": f"id_{i}-x", "MessageBody": f"body {i}"} for i in range(10)]
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert {entry["Id"] for entry in answer["Successful"]} == {entry["Id"] for entry in entries}
    assert "Failed" not in answer
    received = receive(queue)
    received += receive(queue)
    assert {message["Body"] for message in received} == {f"body {i}" for i in range(10)}


def test_send_batch_with_one_that_fails(sqs, queue, bodies):
    answer = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "MessageBody": "good"},
            {"Id": "bad", "MessageBody": "\x00"},
            {"Id": "late", "MessageBody": "late", "DelaySeconds": 901},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert {entry["Id"] for entry in answer["Failed"]} == {"bad", "late"}
    assert all(entry["SenderFault"] and entry["Code"] for entry in answer["Failed"])
    assert bodies(queue) == ["good"]


BATCHES = [
    ("send_message_batch", lambda i: {"MessageBody": "a"}),
    ("delete_message_batch", lambda i: {"ReceiptHandle": "a"}),
    ("change_message_visibility_batch", lambda i: {"ReceiptHandle": "a", "VisibilityTimeout": 1}),
]


@pytest.mark.parametrize("operation,entry", BATCHES)
def test_bad_batches(unchecked_sqs, queue, fails, operation, entry):
    def run(*ids):
        entries = [{"Id": id, **entry(id)} for id in ids]
        getattr(unchecked_sqs, operation)(QueueUrl=queue, Entries=entries)

    prefix = "AWS.SimpleQueueService."
    with fails(prefix + "EmptyBatchRequest", shape="EmptyBatchRequest"):
        run()
    with fails(prefix + "TooManyEntriesInBatchRequest", shape="TooManyEntriesInBatchRequest"):
        run(*[str(i) for i in range(11)])
    with fails(prefix + "BatchEntryIdsNotDistinct", shape="BatchEntryIdsNotDistinct"):
        run("a", "b", "a")
    for id in ["", "x" * 81, "a b", "é", "a.b"]:
        with fails(prefix + "InvalidBatchEntryId", shape="InvalidBatchEntryId"):
            run(id)


def test_batch_of_too_many_bytes(sqs, queue, receive, fails):
    def entries(size):
        return [{"Id": str(i), "MessageBody": "x" * size} for i in range(4)]

    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=entries(MEGABYTE // 4))["Successful"]) == 4
    with fails("AWS.SimpleQueueService.BatchRequestTooLong", shape="BatchRequestTooLong"):
        sqs.send_message_batch(QueueUrl=queue, Entries=entries(MEGABYTE // 4 + 1))


def test_delete_batch(sqs, queue, receive):
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(i), "MessageBody": "a"} for i in range(3)])
    handles = [message["ReceiptHandle"] for message in receive(queue)]
    entries = [{"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(handles)]
    answer = sqs.delete_message_batch(QueueUrl=queue, Entries=entries + [{"Id": "bad", "ReceiptHandle": "nonsense"}])
    assert {entry["Id"] for entry in answer["Successful"]} == {"0", "1", "2"}
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "ReceiptHandleIsInvalid", True)


def test_bad_receipt_handles(sqs, make_queue, receive):
    queue, other = make_queue(), make_queue()
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue)
    for url, handle in [(queue, "nonsense"), (queue, "AAAA" * 20), (other, message["ReceiptHandle"])]:
        for operation, more in [("delete_message", {}), ("change_message_visibility", {"VisibilityTimeout": 1})]:
            with pytest.raises(ClientError) as caught:
                getattr(sqs, operation)(QueueUrl=url, ReceiptHandle=handle, **more)
            # The API's reference says 400, and AWS answers 404.
            assert caught.value.response["Error"]["Code"] == "ReceiptHandleIsInvalid"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_each_delivery_has_its_own_receipt_handle(sqs, queue, receive):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [first] = receive(queue, VisibilityTimeout=0)
    [second] = receive(queue, wait=5, VisibilityTimeout=60)
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    assert receive(queue, wait=5)


def test_visibility_timeout(sqs, queue, receive, bodies):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue, VisibilityTimeout=1)
    assert receive(queue) == []
    start = time.monotonic()
    [again] = receive(queue, wait=5)
    assert 0.5 < time.monotonic() - start < 4
    assert again["MessageId"] == message["MessageId"]


def test_the_queues_visibility_timeout(make_queue, sqs, receive):
    queue = make_queue({"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    receive(queue)
    assert receive(queue) == []
    assert receive(queue, wait=5)


def test_change_visibility(sqs, queue, receive, fails):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue)
    handle = message["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    [message] = receive(queue, VisibilityTimeout=1)
    sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=40
    )
    assert receive(queue, wait=2) == []
    for timeout in [-1, 43201]:
        with fails("InvalidParameterValue"):
            sqs.change_message_visibility(
                QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=timeout
            )


def test_a_message_is_hidden_for_twelve_hours_at_most(sqs, queue, receive, fails):
    """They begin when it is received, and no change of the timeout makes them longer."""
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue)
    change = {"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43200}
    sqs.change_message_visibility(QueueUrl=queue, **{**change, "VisibilityTimeout": 43000})
    reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    with fails("InvalidParameterValue") as caught:
        sqs.change_message_visibility(QueueUrl=queue, **change)
    assert reason in str(caught.value)
    answer = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[{"Id": "1", **change}])
    [failed] = answer["Failed"]
    assert failed["Code"] == "InvalidParameterValue" and reason in failed["Message"]


def test_change_visibility_of_what_is_not_in_flight(sqs, queue, receive):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    with pytest.raises(ClientError) as caught:
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=1
        )
    code = caught.value.response["Error"]["Code"]
    assert code in ("InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight")


@pytest.mark.parametrize("fifo", [False, True])
def test_a_message_that_is_hidden_for_no_time_is_there_at_once(sqs, make_queue, receive, fifo):
    queue = make_queue({"ContentBasedDeduplication": "true"} if fifo else None, fifo=fifo)
    sqs.send_message(QueueUrl=queue, MessageBody="a", **({"MessageGroupId": "g"} if fifo else {}))
    for count in range(1, 11):
        [message] = receive(queue, VisibilityTimeout=0, MessageSystemAttributeNames=["All"])
        assert message["Attributes"]["ApproximateReceiveCount"] == str(count)


def test_a_late_change_of_visibility(sqs, queue, receive, bodies):
    """As on Amazon, and not as its documentation says: any handle of a message will do, also after its time."""
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [late] = receive(queue, VisibilityTimeout=0)

    def change(timeout):
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=late["ReceiptHandle"], VisibilityTimeout=timeout
        )

    change(30)
    assert bodies(queue) == []
    change(0)
    change(0)
    assert bodies(queue, VisibilityTimeout=30) == ["a"]
    # Somebody else has it now.
    change(0)
    assert bodies(queue, VisibilityTimeout=30) == ["a"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=late["ReceiptHandle"])
    assert bodies(queue) == []


def test_change_visibility_batch(sqs, queue, receive):
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(i), "MessageBody": "a"} for i in range(2)])
    messages = receive(queue)
    answer = sqs.change_message_visibility_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "0", "ReceiptHandle": messages[0]["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "1", "ReceiptHandle": messages[1]["ReceiptHandle"], "VisibilityTimeout": 43201},
            {"Id": "2", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["0"]
    codes = {entry["Id"]: entry["Code"] for entry in answer["Failed"]}
    assert codes["2"] == "ReceiptHandleIsInvalid" and set(codes) == {"1", "2"}
    assert [message["MessageId"] for message in receive(queue)] == [messages[0]["MessageId"]]


def test_delay(sqs, queue, bodies):
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    sqs.send_message(QueueUrl=queue, MessageBody="now")
    assert bodies(queue) == ["now"]
    start = time.monotonic()
    assert bodies(queue, wait=5) == ["later"]
    assert time.monotonic() - start < 4


def test_the_queues_delay(make_queue, sqs, bodies):
    queue = make_queue({"DelaySeconds": "1"})
    sqs.send_message(QueueUrl=queue, MessageBody="later")
    sqs.send_message(QueueUrl=queue, MessageBody="now", DelaySeconds=0)
    assert bodies(queue) == ["now"]
    assert bodies(queue, wait=5) == ["later"]


@pytest.mark.parametrize("delay", [-1, 901])
def test_wrong_delays(sqs, queue, fails, delay):
    with fails("InvalidParameterValue"):
        sqs.send_message(QueueUrl=queue, MessageBody="a", DelaySeconds=delay)


@pytest.mark.parametrize(
    "arguments",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"WaitTimeSeconds": -1},
        {"VisibilityTimeout": -1},
        {"VisibilityTimeout": 43201},
    ],
)
def test_wrong_receives(sqs, queue, fails, arguments):
    with fails("InvalidParameterValue"):
        sqs.receive_message(QueueUrl=queue, **arguments)


def test_long_poll_ends_when_a_message_comes(sqs, queue, bodies):
    timer = threading.Timer(0.3, lambda: sqs.send_message(QueueUrl=queue, MessageBody="hello"))
    timer.start()
    start = time.monotonic()
    assert bodies(queue, wait=20) == ["hello"]
    assert time.monotonic() - start < 5
    timer.join()


def test_long_poll_ends_with_its_time(make_queue, sqs):
    queue = make_queue({"ReceiveMessageWaitTimeSeconds": "1"})
    start = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert 0.9 <= time.monotonic() - start < 4
    start = time.monotonic()
    sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0)
    assert time.monotonic() - start < 0.9


def test_competing_long_polls_share(sqs, queue, receive):
    got, lock = [], threading.Lock()

    def poll():
        for message in receive(queue, count=1, wait=10):
            with lock:
                got.append(message["Body"])

    threads = [threading.Thread(target=poll) for _ in range(8)]
    for thread in threads:
        thread.start()
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(8)])
    for thread in threads:
        thread.join()
    assert sorted(got) == [str(i) for i in range(8)]


def test_a_client_that_left_takes_nothing_with_it(broker, sqs, queue, bodies):
    impatient = broker.client("sqs", read_timeout=0.3)
    with pytest.raises(Exception):
        impatient.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert bodies(queue, wait=5) == ["hello"]


def test_group_id_on_a_standard_queue(sqs, queue, receive):
    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageGroupId="fair")
    [message] = receive(queue, MessageSystemAttributeNames=["All"])
    assert message["Attributes"]["MessageGroupId"] == "fair"


def test_many_messages_come_once_each(sqs, queue, receive):
    for page in range(20):
        entries = [{"Id": str(i), "MessageBody": str(page * 10 + i)} for i in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    got = []
    eventually("all have come", lambda: got.extend(m["Body"] for m in receive(queue)) or len(got) >= 200)
    assert sorted(map(int, got)) == list(range(200))
