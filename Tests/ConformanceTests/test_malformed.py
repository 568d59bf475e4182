"""What no client would send: each gets an error of AWS or a closed connection, and the broker stays as it was."""

import contextlib
import json
import random
import resource
import socket
import time

import pytest

from processes import Broker

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


@pytest.mark.parametrize("operation", ["", "Nonsense", "é", "A" * 4000, "../..", "SendMessage.SendMessage"])
def test_operations(open_broker, operation):
    status, answer = post(open_broker, b"{}", operation=operation or " ")
    assert status == 400 and is_aws_error(answer), answer[:500]


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
