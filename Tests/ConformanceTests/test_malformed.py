"""What no client would send: each gets an error of AWS or a closed connection, and the broker stays as it was."""

import contextlib
import json
import random
import resource
import select
import socket
import time

import pytest
from botocore.exceptions import ClientError

from processes import Broker, eventually

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def open_broker():
    """One that asks for no signature, so that what is sent reaches its parsers."""
    broker = Broker(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    broker.client("sqs", key_id="any", secret="any").create_queue(QueueName="q")
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def unharmed(open_broker):
    """The broker is up after each test, answers, and has not grown much."""
    before = open_broker.resident_bytes()
    yield
    assert open_broker.process.poll() is None, "".join(open_broker.log[-20:])
    assert open_broker.is_ready()
    grown = (open_broker.resident_bytes() - before) / MEGABYTE
    print(f"resident {open_broker.resident_bytes() / MEGABYTE:.0f} MB, {grown:+.0f} MB")
    assert grown < 150


def connect(broker):
    return socket.create_connection(("127.0.0.1", broker.port), timeout=60)


def read(connection):
    """What comes until the connection is closed, or the answer is over."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65536):
            data += chunk
            head, separator, body = data.partition(b"\r\n\r\n")
            if separator:
                length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if length and len(body) >= length[0]:
                    break
    return data


def exchange(broker, data):
    """Sends bytes, and returns the status of the answer and its text; 0 if the connection was closed without one."""
    with connect(broker) as connection:
        # It may be answered, and not read on, before all is sent.
        connection.settimeout(2)
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(data)
        connection.settimeout(20)
        answer = read(connection)
    return (int(answer.split()[1]) if answer else 0), answer.decode(errors="replace")


def post(broker, body, headers=(), operation="SendMessage", content_type="application/x-amz-json-1.0"):
    lines = ["POST / HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", f"Content-Type: {content_type}", *headers]
    if operation:
        lines.append(f"X-Amz-Target: AmazonSQS.{operation}")
    return exchange(broker, "\r\n".join([*lines, "", ""]).encode() + body)


def is_aws_error(answer):
    head, _, body = answer.partition("\r\n\r\n")
    if "x-amz-json" in head.lower():
        error = json.loads(body)
        return "#" in error["__type"] and bool(error["message"]) and "x-amzn-query-error" in head.lower()
    return "<Code>" in body and "<Message>" in body


QUEUE = b'"QueueUrl":"http://x/000000000000/q"'
JSON = {
    "empty": b"",
    "nothing": b" ",
    "no-object": b"[]",
    "number": b"1",
    "cut-off": b'{"QueueUrl":',
    "two": b"{}{}",
    "comments": b'{/* */"QueueUrl":"q"}',
    "trailing-comma": b"{" + QUEUE + b",}",
    "wrong-types": b'{"QueueUrl":[],"MessageBody":{}}',
    "null": b'{"QueueUrl":null,"MessageBody":null}',
    "huge-number": b"{" + QUEUE + b',"MessageBody":"a","DelaySeconds":' + b"9" * 1000 + b"}",
    "huge-exponent": b"{" + QUEUE + b',"MessageBody":"a","DelaySeconds":1e999999999}',
    "fraction": b"{" + QUEUE + b',"MessageBody":"a","DelaySeconds":0.5}',
    "minus-zero-point": b"{" + QUEUE + b',"MessageBody":"a","DelaySeconds":-}',
    "not-utf-8": b"{" + QUEUE + b',"MessageBody":"\xff\xfe\xc0\x80"}',
    "half-a-surrogate": b"{" + QUEUE + b',"MessageBody":"\\ud800"}',
    "bad-escape": b"{" + QUEUE + b',"MessageBody":"\\x41"}',
    "raw-control": b"{" + QUEUE + b',"MessageBody":"\x00"}',
    "utf-16": '{"QueueUrl":"q"}'.encode("utf-16"),
    "binary": bytes(range(256)) * 8,
    "deep-arrays": b"[" * 500_000,
    "deep-objects": b'{"a":' * 200_000,
    "deep-in-place": b"{" + QUEUE + b',"MessageBody":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep-in-attributes": b"{" + QUEUE + b',"MessageBody":"a","MessageAttributes":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "bad-base64": b"{" + QUEUE + b',"MessageBody":"a","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"!"}}}',
}


@pytest.mark.parametrize("case", JSON)
def test_json(open_broker, case):
    status, answer = post(open_broker, JSON[case])
    assert 400 <= status < 500, answer[:500]
    assert is_aws_error(answer), answer[:500]


# Requests with a place for a value of one kind. Those that are sent for each message are read by the broker's own parser,
# all others by Foundation's.
PLACES = [
    ("object", "SendMessage", b"HERE"),
    ("object", "ReceiveMessage", b"HERE"),
    ("object", "CreateQueue", b"HERE"),
    ("object", "ListQueues", b"HERE"),
    ("text", "SendMessage", b'{QUEUE,"MessageBody":HERE}'),
    ("text", "ReceiveMessage", b'{"QueueUrl":HERE}'),
    ("text", "DeleteMessage", b'{QUEUE,"ReceiptHandle":HERE}'),
    ("text", "CreateQueue", b'{"QueueName":HERE}'),
    ("text", "PurgeQueue", b'{"QueueUrl":HERE}'),
    ("text", "ListQueues", b'{"QueueNamePrefix":HERE}'),
    ("text", "StartMessageMoveTask", b'{"SourceArn":HERE}'),
    ("text", "CancelMessageMoveTask", b'{"TaskHandle":HERE}'),
    ("number", "SendMessage", b'{QUEUE,"MessageBody":"a","DelaySeconds":HERE}'),
    ("number", "SendMessageBatch", b'{QUEUE,"Entries":[{"Id":"1","MessageBody":"a","DelaySeconds":HERE}]}'),
    ("number", "ReceiveMessage", b'{QUEUE,"MaxNumberOfMessages":HERE}'),
    ("number", "ChangeMessageVisibility", b'{QUEUE,"ReceiptHandle":"a","VisibilityTimeout":HERE}'),
    ("number", "ListQueues", b'{"MaxResults":HERE}'),
    ("number", "ListDeadLetterSourceQueues", b'{QUEUE,"MaxResults":HERE}'),
    ("number", "ListMessageMoveTasks", b'{"SourceArn":"a","MaxResults":HERE}'),
    ("list", "SendMessageBatch", b'{QUEUE,"Entries":HERE}'),
    ("list", "DeleteMessageBatch", b'{QUEUE,"Entries":HERE}'),
    ("list", "ChangeMessageVisibilityBatch", b'{QUEUE,"Entries":HERE}'),
    ("list", "ReceiveMessage", b'{QUEUE,"AttributeNames":HERE}'),
    ("list", "GetQueueAttributes", b'{QUEUE,"AttributeNames":HERE}'),
    ("list", "UntagQueue", b'{QUEUE,"TagKeys":HERE}'),
    ("list", "AddPermission", b'{QUEUE,"Label":"a","Actions":["*"],"AWSAccountIds":HERE}'),
    ("map", "SendMessage", b'{QUEUE,"MessageBody":"a","MessageAttributes":HERE}'),
    ("map", "CreateQueue", b'{"QueueName":"new","Attributes":HERE}'),
    ("map", "SetQueueAttributes", b'{QUEUE,"Attributes":HERE}'),
    ("map", "TagQueue", b'{QUEUE,"Tags":HERE}'),
]
NO_JSON = [
    *(b",", b"nul", b"'a'", b"\xff", b"{/* */}", bytes(range(256)), b"[" * 300_000, b'{"a":' * 100_000),
    *(b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
]
OF_OTHER_KINDS = {
    "object": [b" ", b"[]", b"1", b'"a"', b"true", b'{"QueueUrl":'],
    "text": [b"1", b"true", b"[]", b"{}", b'"\xff\xfe"', b'"\xc0\x80"', b'"\\ud800"', b'"\\x41"', b'"\x00"', b'"a'],
    "number": [
        *(b'"1"', b"true", b"[]", b"{}", b"-", b"1.", b"0.5", b"0x1", b"nan", b"9" * 1000, b"1e999999999"),
        *(b"-1e999999999", b"99999999999999999999", b"9223372036854775808", b"-9223372036854777856"),
    ],
    "list": [b"1", b'"a"', b"{}", b"[1]", b"[[]]", b"[,]", b'["\xff"]'],
    "map": [b"1", b'"a"', b"[]", b'{"a":1}', b'{"a":[]}', b'{"a"}', b'{1:"a"}', b'{"a":"\xff"}', b'{"\xff":"a"}'],
}


def filled(body, value):
    return body.replace(b"QUEUE,", QUEUE + b",").replace(b"HERE", value)


@pytest.mark.parametrize("kind,operation,body", PLACES)
def test_places(open_broker, kind, operation, body):
    for value in NO_JSON + OF_OTHER_KINDS[kind]:
        status, answer = post(open_broker, filled(body, value), operation=operation)
        assert status == 400 and is_aws_error(answer), (value[:100], answer[:500])
        assert "#SerializationException" in answer, (value[:100], answer[:500])


@pytest.mark.parametrize("operation,body", [place[1:] for place in PLACES if place[0] == "number"])
@pytest.mark.parametrize("number", [b"9223372036854775807", b"-9223372036854775808"])
def test_the_largest_numbers_that_fit(open_broker, operation, body, number):
    status, answer = post(open_broker, filled(body, number), operation=operation)
    # Of a batch it is one entry that fails.
    assert status == 400 and is_aws_error(answer) or '"Failed":[{"Id":"1","Code":"InvalidParameterValue"' in answer


@pytest.mark.parametrize("operation", ["", "Nonsense", "é", "A" * 4000, "../..", "SendMessage.SendMessage"])
def test_operations(open_broker, operation):
    status, answer = post(open_broker, b"{}", operation=operation or " ")
    assert status == 400 and is_aws_error(answer), answer[:500]


SQS = b"Version=2012-11-05&QueueUrl=http://x/000000000000/q&Action="
FORMS = {
    "empty": b"",
    "no-action": b"Version=2010-03-31",
    "ampersands": b"&&&&===&=&",
    "bad-percent": b"Action=Publish&Message=%zz",
    "cut-percent": b"Action=Publish&Message=%4",
    "not-utf-8": b"Action=Publish&Message=%ff%fe",
    "null": b"Action=%00",
    "many": b"&".join(b"a%d=1" % i for i in range(200_000)),
    "one-name-many-times": b"Action=Publish" + b"&a=1" * 500_000,
    "huge-index": b"Action=PublishBatch&Version=2010-03-31&TopicArn=arn:aws:sns:x:1:t&PublishBatchRequestEntries.member.99999999999999999999.Id=1",
    "negative-index": b"Action=PublishBatch&Version=2010-03-31&TopicArn=arn:aws:sns:x:1:t&PublishBatchRequestEntries.member.-1.Id=1",
    "long-name": b"Action=Publish&" + b"a" * MEGABYTE + b"=1",
    "dots": b"Action=Publish&Version=2010-03-31&" + b"MessageAttributes.entry." + b"." * 100_000 + b"=1",
    "version": b"Action=Publish&Version=1",
    "binary": bytes(range(256)) * 8,
    "multipart": b'--x\r\nContent-Disposition: form-data; name="Action"\r\n\r\nPublish\r\n--x--\r\n',
    "sqs-no-action": SQS,
    "sqs-no-number": SQS + b"ListQueues&MaxResults=",
    "sqs-no-text": SQS + b"SendMessage&MessageBody=%01",
    "sqs-no-base64": SQS + b"SendMessage&MessageBody=a&MessageAttribute.1.Name=a"
    b"&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=!",
    "sqs-text-for-a-map": SQS + b"SetQueueAttributes&Attributes=1",
    "sqs-text-for-a-list": SQS + b"SendMessageBatch&Entries=1",
    "sqs-text-for-an-entry": SQS + b"SendMessageBatch&SendMessageBatchRequestEntry=1",
    "sqs-huge-index": SQS + b"SendMessageBatch&SendMessageBatchRequestEntry.99999999999999999999.Id=1",
    "sqs-deep-name": SQS + b"SendMessageBatch&" + b"BatchRequestEntry." * 20_000 + b"=1",
    "sqs-deep-entry": SQS + b"SendMessageBatch&" + b"SendMessageBatchRequestEntry." * 20_000 + b"=1",
    **{
        f"sqs-{action}-{number}": SQS + f"{action}&MaxResults={number}".encode()
        for action in ["ListQueues", "MakeCoffee"]
        for number in ["9223372036854775807", "-9223372036854775808", "99999999999999999999"]
    },
}


@pytest.mark.parametrize("case", FORMS)
def test_forms(open_broker, case):
    status, answer = post(
        open_broker, FORMS[case], operation=None, content_type="application/x-www-form-urlencoded"
    )
    assert 400 <= status < 500, answer[:500]
    assert is_aws_error(answer), answer[:500]


def test_policies_that_are_too_deep(open_broker):
    sns = open_broker.client("sns", key_id="any", secret="any")
    sqs = open_broker.client("sqs", key_id="any", secret="any")
    topic = sns.create_topic(Name="deep")["TopicArn"]
    queue = "arn:aws:sqs:eu-west-1:000000000000:q"
    for policy in ["[" * 100_000, '{"a":' * 50_000, '{"a":' * 50_000 + "[1]" + "}" * 50_000, '{"$or":[' * 10_000]:
        for scope in ["MessageAttributes", "MessageBody"]:
            with pytest.raises(sns.exceptions.InvalidParameterException):
                sns.subscribe(
                    TopicArn=topic,
                    Protocol="sqs",
                    Endpoint=queue,
                    Attributes={"FilterPolicy": policy, "FilterPolicyScope": scope},
                )
        with pytest.raises(sqs.exceptions.ClientError):
            sqs.set_queue_attributes(QueueUrl=open_broker.queue_url("q"), Attributes={"RedrivePolicy": policy})


def test_bodies_that_are_too_deep_for_a_filter(open_broker):
    sns = open_broker.client("sns", key_id="any", secret="any")
    topic = sns.create_topic(Name="deep-bodies")["TopicArn"]
    attributes = {"FilterPolicy": '{"a":["x"]}', "FilterPolicyScope": "MessageBody"}
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:000000000000:q", Attributes=attributes
    )
    for body in ["[" * 250_000, '{"a":' * 40_000 + "1" + "}" * 40_000, '{"a":' + "9" * 100_000 + "}"]:
        assert sns.publish(TopicArn=topic, Message=body)["MessageId"]


def test_deep_bodies_stay_what_they_are(open_broker):
    """A body is text; what is in it is nobody's business."""
    sqs = open_broker.client("sqs", key_id="any", secret="any")
    url = sqs.create_queue(QueueName="texts")["QueueUrl"]
    body = "[" * 1_000_000
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == body


REQUESTS = {
    "no-http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "nonsense": b"GARBAGE\r\n\r\n",
    "old": b"POST / HTTP/0.9\r\n\r\n",
    "bad-length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    "negative-length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two-lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length-and-chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad-chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "header-without-colon": b"POST / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "null-in-header": b"POST / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    "huge-header": b"POST / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (4 * MEGABYTE) + b"\r\n\r\n",
    "many-headers": b"POST / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"a%d: 1\r\n" % i for i in range(100_000)) + b"\r\n",
    "large-headers": b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 2\r\n"
    + b"".join(b"a%d: %s\r\n" % (i, b"a" * 4096) for i in range(25))
    + b"\r\n{}",
    "large-headers-half-sent": b"POST / HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"a%d: %s\r\n" % (i, b"a" * 4096) for i in range(25)),
    "huge-path": b"GET /" + b"a" * (4 * MEGABYTE) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "other-method": b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "put": b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "elsewhere": b"GET /nothing/is/here HTTP/1.1\r\nHost: x\r\n\r\n",
    "no-host": b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "too-large": b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 99999999999\r\n\r\n",
    "larger-than-any-number": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", REQUESTS)
def test_requests(open_broker, case):
    status, answer = exchange(open_broker, REQUESTS[case])
    assert status == 0 or 400 <= status < 600 and status != 500, answer[:300]


def test_headers_that_are_not_too_large(open_broker):
    headers = [f"a{i}: " + "a" * 4096 for i in range(18)]
    status, answer = post(open_broker, b"{}", headers, operation="ListQueues")
    assert status == 200, answer[:300]


@pytest.mark.parametrize("case", ["put", "elsewhere"])
def test_what_is_no_call(open_broker, case):
    """It gets the problem document that all of the shop's services have."""
    status, answer = exchange(open_broker, REQUESTS[case])
    head, _, body = answer.partition("\r\n\r\n")
    problem = json.loads(body)
    assert "content-type: application/problem+json" in head.lower()
    assert problem["type"].startswith("urn:shop:problem:") and problem["title"] and problem["detail"]
    assert problem["status"] == status


def test_chunks_without_end(open_broker):
    """A body without a length is read as far as a body may go, and no further."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    with connect(open_broker) as connection:
        connection.sendall(head)
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.settimeout(5)
            while sent < 64 * MEGABYTE:
                connection.sendall(chunk)
                sent += len(chunk)
        answer = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            answer = read(connection)
    assert not answer or answer.split()[1] == b"413"


@pytest.mark.parametrize("cut", [1, 20, 60, 100, -1, -30])
def test_cut_off(open_broker, cut):
    body = b"{" + QUEUE + b',"MessageBody":"cut off"}'
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: {len(body)}\r\n\r\n"
    with connect(open_broker) as connection:
        connection.sendall((head.encode() + body)[:cut])
        connection.shutdown(socket.SHUT_WR)
        answer = read(connection)
    assert not answer or answer.split()[1] == b"400"


def request(operation, body):
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.{operation}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_several_at_once(open_broker):
    """Requests that are sent together are answered in their order, though the first one takes longest."""
    wait = request("ReceiveMessage", b"{" + QUEUE + b',"WaitTimeSeconds":1}')
    health = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(open_broker) as connection:
        connection.sendall(wait + health + request("ListQueues", b"{}") + wait[:-10])
        connection.sendall(wait[-10:] + health)
        data = b""
        while data.count(b"HTTP/1.1 200 OK") < 5:
            chunk = connection.recv(65536)
            assert chunk, data
            data += chunk
    bodies = [answer.partition(b"\r\n\r\n")[2] for answer in data.split(b"HTTP/1.1 200 OK")[1:]]
    assert [bodies[0], bodies[3]] == [b"{}", b"{}"]
    assert bodies[1] == bodies[4] == b'{"status":"live"}'
    assert b"QueueUrls" in bodies[2]


def test_many_at_once(open_broker):
    """Of one who goes on sending while nothing is answered little is read."""
    with connect(open_broker) as connection:
        connection.sendall(request("ReceiveMessage", b"{" + QUEUE + b',"WaitTimeSeconds":20}'))
        more = request("ListQueues", b'{"QueueNamePrefix":"%s"}' % (b"x" * 60_000)) * 10
        connection.settimeout(2)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 128 * MEGABYTE:
                sent += connection.send(more[sent % len(more) :])
        print(f"{sent / MEGABYTE:.0f} MB sent")
        # The system's buffers hold some.
        assert sent < 32 * MEGABYTE


def test_random_bytes(open_broker):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    source = random.Random(seed)
    valid = b"{" + QUEUE + b',"MessageBody":"hello","DelaySeconds":1,"MessageAttributes":{"a":{"DataType":"String","StringValue":"b"}}}'
    for _ in range(300):
        body = bytearray(valid)
        for _ in range(source.randrange(1, 6)):
            body[source.randrange(len(body))] = source.randrange(256)
        status, answer = post(open_broker, bytes(body))
        assert status == 200 or 400 <= status < 500 and is_aws_error(answer), (bytes(body), answer[:500])


def test_slow_senders(open_broker):
    """Many who send a byte now and then hinder nobody."""
    slow = [connect(open_broker) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-A")
    start = time.monotonic()
    for _ in range(10):
        for connection in slow:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"a")
        assert open_broker.is_ready()
    assert time.monotonic() - start < 5
    for connection in slow:
        connection.close()


def test_half_closed(open_broker):
    """Who has said all and only listens is answered, also when many send at once and have to give way to others."""
    body = b'{"QueueUrl":"http://localhost/000000000000/missing","MessageBody":"hello"}'
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(3):
        connections = [connect(open_broker) for _ in range(60)]
        for connection in connections:
            connection.sendall(head.encode() + body)
            connection.shutdown(socket.SHUT_WR)
        for connection in connections:
            assert b"QueueDoesNotExist" in read(connection)
            connection.close()


def test_half_sent_bodies():
    """All together they take a part of the memory and no more, and the broker serves others."""
    broker = Broker()
    connections = []
    try:
        # It tries again if it has to, as clients do.
        sqs = broker.client("sqs", retries={"total_max_attempts": 5})
        queue = sqs.create_queue(QueueName="small")["QueueUrl"]
        half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" + bytes(2_000_000)
        resident = []
        for i in range(300):
            connections.append(connect(broker))
            with contextlib.suppress(ConnectionError):
                connections[-1].sendall(half)
            if i % 10 == 0:
                sqs.send_message(QueueUrl=queue, MessageBody="hello")
                resident.append(broker.resident_bytes() / MEGABYTE)

        def refused():
            return select.select(connections, [], [], 0)[0]

        # There is room for 136 of them, and each takes some until it is refused.
        eventually("the others are refused", lambda: len(refused()) >= 164)
        answers = [read(connection) for connection in refused()]
        assert len(answers) < 200
        for answer in answers:
            assert not answer or answer.split()[1] == b"503" and b"<Code>ServiceUnavailable</Code>" in answer
        resident.append(broker.resident_bytes() / MEGABYTE)
        print(f"{len(answers)} refused, at most {max(resident):.0f} MB resident")
        assert max(resident) < 400
        # The rest of the room goes, too. Who sends little needs none, and hasn't to try again.
        for size in [400_000, 300_000, 200_000, 100_000, 50_000, 40_000, 35_000, 33_000]:
            for _ in range(3):
                connections.append(connect(broker))
                with contextlib.suppress(ConnectionError):
                    connections[-1].sendall(half[: -(2_000_000 - size)])
        once = broker.client("sqs", retries={"total_max_attempts": 1})
        once.send_message(QueueUrl=queue, MessageBody="x" * 30_000)
        with pytest.raises(ClientError, match="too many large requests"):
            once.send_message(QueueUrl=queue, MessageBody="x" * MEGABYTE)
        for connection in connections:
            connection.close()
        sqs.send_message(QueueUrl=queue, MessageBody="x" * MEGABYTE)
    finally:
        for connection in connections:
            connection.close()
        broker.stop()


def test_answers_that_nobody_reads():
    """All together they take a part of the memory and no more, and the broker serves others."""
    broker = Broker(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    connections = []
    try:
        # It tries again if it has to, as clients do.
        sqs = broker.client("sqs", key_id="any", secret="any", retries={"total_max_attempts": 5})
        queue = sqs.create_queue(QueueName="large")["QueueUrl"]
        for _ in range(10):
            sqs.send_message(QueueUrl=queue, MessageBody="x" * MEGABYTE)
        options = b'"MaxNumberOfMessages":10,"VisibilityTimeout":0,"WaitTimeSeconds":20'
        ask = request("ReceiveMessage", b'{"QueueUrl":"%s",%s}' % (queue.encode(), options))
        statuses = []
        for _ in range(30):
            connections.append(connect(broker))
            connections[-1].sendall(ask)
            # It is looked at, and left where it is.
            statuses.append(connections[-1].recv(16, socket.MSG_PEEK).split()[1])
        resident = broker.resident_bytes() / MEGABYTE
        # There is room for 25 of them.
        print(f"{statuses.count(b'503')} refused, {resident:.0f} MB resident")
        assert statuses[0] == b"200" and statuses[-1] == b"503"
        assert resident < 500
        assert sqs.list_queues()["QueueUrls"] == [queue]
        for connection in connections:
            connection.close()
        assert sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
    finally:
        for connection in connections:
            connection.close()
        broker.stop()


@pytest.mark.parametrize("limit,count", [(256, 1000), (12_000, 10_000)])
def test_idle_connections(limit, count):
    """They cost a little memory each and hinder nobody, even where a program may open few files at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    broker = Broker()
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1000, hard))
    connections = []
    try:
        sqs = broker.client("sqs")
        queue = sqs.create_queue(QueueName="idle")["QueueUrl"]
        before = broker.resident_bytes()
        connections += [connect(broker) for _ in range(count)]
        start = time.monotonic()
        sqs.send_message(QueueUrl=queue, MessageBody="still there")
        assert time.monotonic() - start < 5
        size = (broker.resident_bytes() - before) / count / 1024
        print(f"{size:.1f} KiB for each connection")
        assert size < 40
        for connection in connections:
            connection.close()
        start = time.monotonic()
        assert broker.client("sqs", read_timeout=60).receive_message(QueueUrl=queue)["Messages"]
        print(f"{time.monotonic() - start:.1f} s until they were gone")
    finally:
        for connection in connections:
            connection.close()
        broker.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
