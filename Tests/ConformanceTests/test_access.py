"""Who may come in: Signature Version 4, and what is answered to those who may not."""

import datetime
import http.client
import json
import urllib.error
import urllib.request
from unittest import mock

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from processes import ACCOUNT, Broker

UNSIGNED_SQS = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}


def post(broker, body, headers, path="/"):
    request = urllib.request.Request(broker.url + path, data=body.encode(), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def sign(broker, body, headers, path="/", service="sqs", region="us-east-1"):
    request = AWSRequest(method="POST", url=broker.url + path, data=body, headers=headers)
    botocore.auth.SigV4Auth(Credentials(broker.key_id, broker.secret), service, region).add_auth(request)
    return dict(request.headers)


@pytest.fixture
def at():
    """Signs as of another time."""

    def at(minutes):
        time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        return mock.patch(
            "botocore.auth.get_current_datetime",
            lambda remove_tzinfo=True: time.replace(tzinfo=None) if remove_tzinfo else time,
        )

    return at


@pytest.mark.parametrize("service,call", [("sqs", "list_queues"), ("sns", "list_topics"), ("sts", "get_caller_identity")])
def test_right_keys_come_in(broker, service, call):
    answer = getattr(broker.client(service), call)()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("service,call", [("sqs", "list_queues"), ("sns", "list_topics"), ("sts", "get_caller_identity")])
def test_wrong_secret(broker, fails, service, call):
    shape = "InvalidSignatureException" if service == "sqs" else None
    with fails("SignatureDoesNotMatch", 403, shape) as caught:
        getattr(broker.client(service, secret="wrong"), call)()
    assert "does not match the signature you provided" in str(caught.value)


@pytest.mark.parametrize("service,call", [("sqs", "list_queues"), ("sns", "list_topics"), ("sts", "get_caller_identity")])
def test_unknown_key(broker, fails, service, call):
    shape = "UnrecognizedClientException" if service == "sqs" else None
    with fails("InvalidClientTokenId", 403, shape):
        getattr(broker.client(service, key_id="AKIAUNKNOWN"), call)()


@pytest.mark.parametrize("service,call", [("sqs", "list_queues"), ("sns", "list_topics")])
def test_clock_window(broker, fails, at, service, call):
    client = broker.client(service)
    for minutes in [-14, 14]:
        with at(minutes):
            getattr(client, call)()
    with at(-16), fails("SignatureDoesNotMatch", 403) as caught:
        getattr(client, call)()
    assert "Signature expired: " in str(caught.value) and "- 15 min.)" in str(caught.value)
    with at(16), fails("SignatureDoesNotMatch", 403) as caught:
        getattr(client, call)()
    assert "Signature not yet current: " in str(caught.value)


def test_no_signature_sqs(broker):
    status, headers, body = post(broker, "{}", UNSIGNED_SQS)
    assert status == 403
    assert headers["x-amzn-query-error"] == "MissingAuthenticationToken;Sender"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert json.loads(body)["__type"].endswith("#MissingAuthenticationTokenException")


def test_no_signature_sns(broker):
    status, headers, body = post(
        broker, "Action=ListTopics&Version=2010-03-31", {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert status == 403
    assert headers["content-type"].startswith("text/xml")
    assert "<Code>MissingAuthenticationToken</Code>" in body and "<Type>Sender</Type>" in body


@pytest.mark.parametrize(
    "authorization",
    ["Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request", "AWS4-HMAC-SHA256 , ,=,=="],
)
def test_incomplete_signature(broker, authorization):
    status, headers, body = post(broker, "{}", {**UNSIGNED_SQS, "Authorization": authorization})
    assert (status, headers["x-amzn-query-error"]) == (400, "IncompleteSignature;Sender")
    assert json.loads(body)["__type"].endswith("#IncompleteSignatureException")


def test_a_changed_body_stays_out(broker):
    headers = sign(broker, "{}", UNSIGNED_SQS)
    assert post(broker, "{}", headers)[0] == 200
    assert post(broker, '{"MaxResults":1}', headers)[0] == 403


def test_another_operation_stays_out(broker):
    headers = sign(broker, "{}", UNSIGNED_SQS)
    assert post(broker, "{}", {**headers, "X-Amz-Target": "AmazonSQS.PurgeQueue"})[0] == 403
    # Nor one that was not signed at all.
    headers = sign(broker, "{}", {"Content-Type": "application/x-amz-json-1.0"})
    assert post(broker, "{}", {**headers, "X-Amz-Target": "AmazonSQS.ListQueues"})[0] == 403


def test_signed_payload_hash(broker):
    hash_of_braces = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    headers = sign(broker, "{}", {**UNSIGNED_SQS, "X-Amz-Content-SHA256": hash_of_braces})
    assert "x-amz-content-sha256" in headers["Authorization"]
    assert post(broker, "{}", headers)[0] == 200
    assert post(broker, "{} ", headers)[0] == 403


@pytest.mark.parametrize("version", ["2012-11-05", "2011-06-15"])
def test_only_actions_of_sns_are_open(broker, version):
    """An action of that name in another protocol needs a signature, as any does."""
    query = f"Action=Unsubscribe&Version={version}&MaxResults=9223372036854775807"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{broker.url}/?{query}", timeout=10)
    assert caught.value.code == 403 and b"<Code>MissingAuthenticationToken</Code>" in caught.value.read()


def test_at_the_queues_own_address(broker, queue):
    path = "/" + queue.split("/", 3)[3]
    body = json.dumps({"QueueUrl": queue, "MessageBody": "hello"})
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"}
    status, _, answer = post(broker, body, sign(broker, body, headers, path), path)
    assert status == 200, answer


def test_presigned_url(broker, sns, at):
    url = sns.generate_presigned_url("list_topics", ExpiresIn=60, HttpMethod="GET")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b"ListTopicsResult" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("ListTopics", "ListSubscriptions"), timeout=10)
    assert caught.value.code == 403 and b"SignatureDoesNotMatch" in caught.value.read()
    with at(-2):
        old = sns.generate_presigned_url("list_topics", ExpiresIn=60, HttpMethod="GET")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(old, timeout=10)
    assert caught.value.code == 403 and b"Signature expired" in caught.value.read()


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-2", "xx-nowhere-9"])
def test_any_region(broker, region, name):
    sqs, sns = broker.client("sqs", region=region), broker.client("sns", region=region)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert url == broker.queue_url(name)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert arn == f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == f"arn:aws:sns:{region}:{ACCOUNT}:{name}"


def test_the_url_follows_the_host(broker, name):
    body = json.dumps({"QueueName": name})
    headers = {
        "Host": "queues.example:9999",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.CreateQueue",
    }
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=10)
    connection.request("POST", "/", body, sign(broker, body, headers))
    answer = json.loads(connection.getresponse().read())
    assert answer["QueueUrl"] == f"http://queues.example:9999/{ACCOUNT}/{name}"


def test_identity(broker):
    identity = broker.client("sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{broker.key_id}"
    assert identity["UserId"] == broker.key_id


def test_unknown_sts_action(broker):
    body = "Action=AssumeRole&Version=2011-06-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = post(broker, body, sign(broker, body, headers, service="sts"))
    assert status == 400 and "<Code>InvalidAction</Code>" in answer


def test_health_and_metrics_are_open(broker):
    for path in ["/health/live", "/health/ready", "/metrics", "/openapi.yaml"]:
        with urllib.request.urlopen(broker.url + path, timeout=10) as answer:
            assert answer.status == 200


def test_everybody_comes_in_where_there_are_no_keys():
    broker = Broker(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", BROKER_ACCOUNT_ID="123456789012")
    try:
        assert post(broker, "{}", UNSIGNED_SQS)[0] == 200
        assert any("everybody who reaches the port may come in" in line for line in broker.log)
        url = broker.client("sqs", key_id="any", secret="any").create_queue(QueueName="q")["QueueUrl"]
        assert url == f"{broker.url}/123456789012/q"
    finally:
        broker.stop()
