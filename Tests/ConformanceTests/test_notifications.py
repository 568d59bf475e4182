"""Notifications: the signed envelope, and deliveries over HTTP with a real server at the other end."""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from receiver import Receiver


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def verify(envelope):
    """As AWS documents it: key, newline, value, newline, in this order."""
    keys = (
        ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        if envelope["Type"] == "Notification"
        else ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    )
    signed = "".join(f"{key}\n{envelope[key]}\n" for key in keys if key in envelope)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]
    certificate = x509.load_pem_x509_certificate(fetch(envelope["SigningCertURL"]))
    certificate.public_key().verify(
        base64.b64decode(envelope["Signature"]), signed.encode(), padding.PKCS1v15(), algorithm
    )


def test_envelope(sns, topic, queue, subscribe, receive):
    subscription = subscribe(topic, queue, raw=False)
    attributes = {
        "text": {"DataType": "String", "StringValue": "Zoë"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sns.publish(TopicArn=topic, Message='hello "Zoë"', Subject="subject", MessageAttributes=attributes)
    [message] = receive(queue, MessageAttributeNames=["All"])
    assert "MessageAttributes" not in message
    envelope = json.loads(message["Body"])
    expected = {
        "Type": "Notification",
        "MessageId": sent["MessageId"],
        "TopicArn": topic,
        "Subject": "subject",
        "Message": 'hello "Zoë"',
        "MessageAttributes": {
            "text": {"Type": "String", "Value": "Zoë"},
            "bytes": {"Type": "Binary", "Value": base64.b64encode(b"\x00\xff").decode()},
        },
    }
    assert expected.items() <= envelope.items()
    time.strptime(envelope["Timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")
    unsubscribe = urllib.parse.parse_qs(urllib.parse.urlsplit(envelope["UnsubscribeURL"]).query)
    assert unsubscribe == {"Action": ["Unsubscribe"], "SubscriptionArn": [subscription]}


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "subject"])
def test_envelope_is_signed(sns, make_topic, queue, subscribe, receive, version, subject):
    topic = make_topic({"SignatureVersion": version})
    subscribe(topic, queue, raw=False)
    sns.publish(TopicArn=topic, Message="Zoë\n🚀", **({"Subject": subject} if subject else {}))
    [message] = receive(queue)
    envelope = json.loads(message["Body"])
    assert envelope["SignatureVersion"] == version
    verify(envelope)
    envelope["Message"] += "!"
    with pytest.raises(Exception):
        verify(envelope)


def test_unsubscribe_by_url(sns, topic, queue, subscribe, receive, bodies):
    subscribe(topic, queue, raw=False)
    sns.publish(TopicArn=topic, Message="hello")
    [message] = receive(queue)
    fetch(json.loads(message["Body"])["UnsubscribeURL"])
    sns.publish(TopicArn=topic, Message="again")
    assert bodies(queue) == []


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def confirmed(sns, topic, receiver):
    """A subscription over HTTP whose handshake is over."""

    def confirm(**attributes):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url, Attributes=attributes)
        token = receiver.envelope()["Token"]
        return sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]

    return confirm


def test_handshake(sns, topic, receiver):
    pending = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)["SubscriptionArn"]
    assert pending.lower() == "pending confirmation"
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation" and listed["Protocol"] == "http"
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsPending"] == "1"
    path, headers, body = receiver.next()
    assert path == "/hook?x=1"
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert headers["x-amz-sns-topic-arn"] == topic
    assert headers["Content-Type"] == "text/plain; charset=UTF-8"
    envelope = json.loads(body)
    assert envelope["Type"] == "SubscriptionConfirmation" and envelope["TopicArn"] == topic
    assert headers["x-amz-sns-message-id"] == envelope["MessageId"]
    verify(envelope)
    # Not yet: nothing is sent before it is confirmed.
    sns.publish(TopicArn=topic, Message="too early")
    assert b"<SubscriptionArn>" in fetch(envelope["SubscribeURL"])
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"].startswith(topic + ":")
    sns.publish(TopicArn=topic, Message="in time")
    assert receiver.envelope()["Message"] == "in time"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:99999/", "http://[::1]:99999/", "http://%5B%5D/"])
def test_an_endpoint_that_there_cannot_be(sns, topic, fails, endpoint):
    with fails("InvalidParameter"):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_wrong_tokens(sns, topic, receiver, fails):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    for token in ["nonsense", "0" * 256]:
        with fails("InvalidParameter"):
            sns.confirm_subscription(TopicArn=topic, Token=token)


def test_a_guarded_subscription_is_ended_only_by_a_signed_request(sns, topic, receiver, fails):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    subscription = sns.confirm_subscription(
        TopicArn=topic, Token=receiver.envelope()["Token"], AuthenticateOnUnsubscribe="true"
    )["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="hello")
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(receiver.envelope()["UnsubscribeURL"])
    assert caught.value.code == 403 and b"<Code>AuthorizationError</Code>" in caught.value.read()
    sns.publish(TopicArn=topic, Message="still here")
    assert receiver.envelope()["Message"] == "still here"
    sns.unsubscribe(SubscriptionArn=subscription)
    with fails("NotFound", 404):
        sns.get_subscription_attributes(SubscriptionArn=subscription)


def test_only_a_signed_confirmation_guards(sns, topic, receiver):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    fetch(receiver.envelope()["SubscribeURL"] + "&AuthenticateOnUnsubscribe=true")
    sns.publish(TopicArn=topic, Message="hello")
    fetch(receiver.envelope()["UnsubscribeURL"])
    assert receiver.envelope()["Type"] == "UnsubscribeConfirmation"


def test_delivery(sns, topic, receiver, confirmed):
    subscription = confirmed()
    sent = sns.publish(TopicArn=topic, Message="Zoë", Subject="subject")
    _, headers, body = receiver.next()
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == sent["MessageId"]
    assert headers["x-amz-sns-topic-arn"] == topic
    assert headers["x-amz-sns-subscription-arn"] == subscription
    assert "x-amz-sns-rawdelivery" not in headers
    envelope = json.loads(body)
    assert (envelope["Message"], envelope["Subject"], envelope["MessageId"]) == ("Zoë", "subject", sent["MessageId"])
    verify(envelope)


def test_raw_delivery(sns, topic, receiver, confirmed):
    confirmed(RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="Zoë")
    _, headers, body = receiver.next()
    assert body == "Zoë" and headers["x-amz-sns-rawdelivery"] == "true"


def test_filtered_delivery(sns, topic, receiver, confirmed):
    confirmed(FilterPolicy='{"a":["x"]}')
    sns.publish(TopicArn=topic, Message="no")
    sns.publish(TopicArn=topic, Message="yes", MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}})
    assert receiver.envelope()["Message"] == "yes"


def delivery_policy(retries):
    policy = {
        "healthyRetryPolicy": {
            "numRetries": retries,
            "numNoDelayRetries": retries,
            "minDelayTarget": 1,
            "maxDelayTarget": 1,
        }
    }
    return json.dumps(policy)


def test_retry(sns, topic, receiver, confirmed):
    confirmed(DeliveryPolicy=delivery_policy(3))
    for status in [500, 503]:
        receiver.answers.put(status)
    sent = sns.publish(TopicArn=topic, Message="hello")
    ids = [receiver.envelope()["MessageId"] for _ in range(3)]
    assert ids == [sent["MessageId"]] * 3
    sns.publish(TopicArn=topic, Message="next")
    assert receiver.envelope()["Message"] == "next"


def test_retry_after_a_pause(sns, topic, receiver, confirmed):
    policy = {"healthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 1, "maxDelayTarget": 1}}
    confirmed(DeliveryPolicy=json.dumps(policy))
    receiver.answers.put(500)
    sns.publish(TopicArn=topic, Message="hello")
    receiver.next()
    start = time.monotonic()
    receiver.next()
    assert 0.7 < time.monotonic() - start < 5


def test_a_subscription_overrides_its_topic_in_part(sns, topic, receiver, confirmed):
    policy = {"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue=json.dumps(policy))
    confirmed(DeliveryPolicy=delivery_policy(2))
    receiver.answers.put(500)
    sns.publish(TopicArn=topic, Message="{}")
    for _ in range(2):
        _, headers, _ = receiver.next()
        assert headers["content-type"] == "application/json"


def test_dead_letters(sns, topic, queue, arn, receiver, confirmed, receive):
    confirmed(
        RawMessageDelivery="true",
        DeliveryPolicy=delivery_policy(2),
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(queue)}),
    )
    for _ in range(3):
        receiver.answers.put(500)
    sns.publish(TopicArn=topic, Message="undeliverable")
    [message] = receive(queue, wait=10)
    assert message["Body"] == "undeliverable"


def test_dead_letters_at_once(sns, topic, queue, arn, receiver, confirmed, receive):
    """What the other side refuses for good (4xx) isn't tried again."""
    confirmed(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(queue)}))
    receiver.answers.put(403)
    sns.publish(TopicArn=topic, Message="refused")
    [message] = receive(queue, wait=10)
    assert json.loads(message["Body"])["Message"] == "refused"


def test_dead_letters_of_a_queue_that_is_gone(sns, sqs, topic, make_queue, queue, arn, receive):
    gone = make_queue()
    attributes = {"RawMessageDelivery": "true", "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn(queue)})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(gone), Attributes=attributes)
    sqs.delete_queue(QueueUrl=gone)
    sns.publish(TopicArn=topic, Message="lost")
    assert [message["Body"] for message in receive(queue, wait=10)] == ["lost"]


def test_unsubscribing_is_told(sns, topic, receiver, confirmed):
    subscription = confirmed()
    sns.unsubscribe(SubscriptionArn=subscription)
    _, headers, body = receiver.next()
    assert headers["x-amz-sns-message-type"] == "UnsubscribeConfirmation"
    envelope = json.loads(body)
    assert envelope["Type"] == "UnsubscribeConfirmation"
    verify(envelope)
