"""Subscriptions over https: an endpoint is trusted by the system's certificates and those of BROKER_CA_FILE."""

import json
import ssl

import pytest
import trustme

from processes import Broker
from receiver import Receiver


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority, tmp_path_factory):
    """A broker that trusts the authority."""
    file = tmp_path_factory.mktemp("authorities") / "ca.pem"
    authority.cert_pem.write_to_path(file)
    broker = Broker(BROKER_CA_FILE=str(file))
    yield broker
    broker.stop()


@pytest.fixture
def serve():
    """Makes endpoints with a certificate of some authority."""
    receivers = []

    def serve(authority, port=0):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        receivers.append(Receiver(tls, port))
        return receivers[-1]

    yield serve
    for receiver in receivers:
        receiver.stop()


def test_https(trusting, authority, serve):
    sns, receiver = trusting.client("sns"), serve(authority)
    topic = sns.create_topic(Name="secure")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=receiver.url)
    sns.confirm_subscription(TopicArn=topic, Token=receiver.envelope()["Token"])
    sns.publish(TopicArn=topic, Message="in confidence")
    assert receiver.envelope()["Message"] == "in confidence"


def test_untrusted(trusting, authority, serve):
    """Who shows another's certificate gets nothing; it goes where all goes that can't be delivered."""
    sns, sqs, receiver = trusting.client("sns"), trusting.client("sqs"), serve(authority)
    dead = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="secret")["TopicArn"]
    attributes = {
        "DeliveryPolicy": json.dumps({"healthyRetryPolicy": {"numRetries": 0}}),
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn}),
    }
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=receiver.url, Attributes=attributes)
    sns.confirm_subscription(TopicArn=topic, Token=receiver.envelope()["Token"])
    receiver.stop()
    impostor = serve(trustme.CA(), receiver.port)
    sns.publish(TopicArn=topic, Message="a secret")
    [message] = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["Message"] == "a secret"
    assert impostor.requests.empty()


def test_no_certificates(tmp_path):
    """What the setting names must be certificates."""
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    for file in ["missing.pem", "ca.pem"]:
        with pytest.raises(RuntimeError, match="BROKER_CA_FILE must name a file with certificates in PEM"):
            Broker(BROKER_CA_FILE=str(tmp_path / file))
