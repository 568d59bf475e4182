"""Topics, subscriptions, and what is published to queues."""

import concurrent.futures
import json

import pytest

from processes import ACCOUNT, REGION


def test_create(sns, name):
    topic = sns.create_topic(Name=name)["TopicArn"]
    assert topic == f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == topic
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    expected = {
        "TopicArn": topic,
        "Owner": ACCOUNT,
        "SubscriptionsConfirmed": "0",
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": "0",
        "DisplayName": "",
    }
    assert expected.items() <= attributes.items()
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3


@pytest.mark.parametrize("bad", ["", "a" * 257, "white space", "sl/ash", "é", "dot.ted"])
def test_bad_names(unchecked_sns, fails, bad):
    with fails("InvalidParameter"):
        unchecked_sns.create_topic(Name=bad)


def test_attributes(sns, make_topic, fails):
    topic = make_topic({"DisplayName": "News"})
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "News"
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Olds")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "Olds"
    for name, value in [("Nonsense", "x"), ("SignatureVersion", "3"), ("DeliveryPolicy", "{"), ("TopicArn", "x")]:
        with fails("InvalidParameter"):
            sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)


def test_creating_again_with_other_attributes(sns, make_topic, fails):
    topic = make_topic({"DisplayName": "News"})
    with fails("InvalidParameter"):
        sns.create_topic(Name=topic.rsplit(":")[-1], Attributes={"DisplayName": "Olds"})


def test_delete(sns, topic, queue, subscribe, fails):
    subscription = subscribe(topic, queue)
    for _ in range(2):
        sns.delete_topic(TopicArn=topic)
    with fails("NotFound", 404):
        sns.get_topic_attributes(TopicArn=topic)
    with fails("NotFound", 404):
        sns.publish(TopicArn=topic, Message="a")
    assert subscription not in [s["SubscriptionArn"] for s in all_of(sns, "list_subscriptions", "Subscriptions")]


def all_of(sns, operation, key, **arguments):
    return [item for page in sns.get_paginator(operation).paginate(**arguments) for item in page[key]]


def test_pages(sns, queue, make_topic, make_queue, subscribe):
    topics = {make_topic() for _ in range(104)}
    assert len(sns.list_topics()["Topics"]) == 100
    assert topics <= {topic["TopicArn"] for topic in all_of(sns, "list_topics", "Topics")}
    topic = make_topic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        subscriptions = set(pool.map(lambda _: subscribe(topic, make_queue()), range(104)))
    assert len(subscriptions) == 104
    first = sns.list_subscriptions_by_topic(TopicArn=topic)
    assert len(first["Subscriptions"]) == 100 and first["NextToken"]
    found = all_of(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    assert {item["SubscriptionArn"] for item in found} == subscriptions
    assert subscriptions <= {item["SubscriptionArn"] for item in all_of(sns, "list_subscriptions", "Subscriptions")}
    sns.delete_topic(TopicArn=topic)


def test_subscribe(sns, topic, queue, arn, subscribe):
    subscription = subscribe(topic, queue, raw=False)
    assert subscription.startswith(topic + ":")
    # Again it is the same.
    again = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(queue))["SubscriptionArn"]
    assert again == subscription
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed == {
        "SubscriptionArn": subscription,
        "Owner": ACCOUNT,
        "Protocol": "sqs",
        "Endpoint": arn(queue),
        "TopicArn": topic,
    }
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    expected = {
        "SubscriptionArn": subscription,
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": arn(queue),
        "Owner": ACCOUNT,
        "RawMessageDelivery": "false",
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
    }
    assert expected.items() <= attributes.items()
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "1"


def test_a_queue_is_subscribed_once_from_whatever_region(broker, sns, topic, queue, arn, subscribe, bodies):
    subscribe(topic, queue)
    elsewhere = broker.client("sns", region="ap-south-1")
    endpoint = arn(queue).replace(REGION, "ap-south-1")
    again = elsewhere.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)["SubscriptionArn"]
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1
    sns.publish(TopicArn=topic, Message="once")
    assert bodies(queue) == ["once"]
    elsewhere.unsubscribe(SubscriptionArn=again)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_unsubscribe(sns, topic, queue, subscribe, bodies, fails):
    subscription = subscribe(topic, queue)
    for _ in range(2):
        sns.unsubscribe(SubscriptionArn=subscription)
    sns.publish(TopicArn=topic, Message="a")
    assert bodies(queue) == []
    with fails("NotFound", 404):
        sns.get_subscription_attributes(SubscriptionArn=subscription)


@pytest.mark.parametrize(
    "arguments",
    [
        {"Protocol": "pigeon", "Endpoint": "roof"},
        {"Protocol": "sqs", "Endpoint": "nonsense"},
        {"Protocol": "sqs"},
        {"Protocol": "http", "Endpoint": "https://127.0.0.1/"},
        {"Protocol": "http", "Endpoint": "nonsense"},
    ],
)
def test_wrong_subscriptions(unchecked_sns, topic, fails, arguments):
    with fails("InvalidParameter"):
        unchecked_sns.subscribe(TopicArn=topic, **arguments)


def test_wrong_subscription_attributes(sns, topic, queue, subscribe, arn, fails):
    subscription = subscribe(topic, queue)
    for name, value in [
        ("Nonsense", "x"),
        ("RawMessageDelivery", "perhaps"),
        ("FilterPolicy", "{"),
        ("FilterPolicyScope", "Galaxy"),
        ("RedrivePolicy", "{"),
        ("RedrivePolicy", '{"deadLetterTargetArn":"nonsense"}'),
        ("DeliveryPolicy", "{"),
    ]:
        with fails("InvalidParameter"):
            sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName=name, AttributeValue=value)
        with fails("InvalidParameter"):
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(queue), Attributes={name: value})


NOT_THERE = f"arn:aws:sns:{REGION}:{ACCOUNT}:not-there"


@pytest.mark.parametrize(
    "operation,arguments,code",
    [
        ("get_topic_attributes", {"TopicArn": NOT_THERE}, "NotFound"),
        ("set_topic_attributes", {"TopicArn": NOT_THERE, "AttributeName": "DisplayName"}, "NotFound"),
        ("publish", {"TopicArn": NOT_THERE, "Message": "a"}, "NotFound"),
        (
            "publish_batch",
            {"TopicArn": NOT_THERE, "PublishBatchRequestEntries": [{"Id": "1", "Message": "a"}]},
            "NotFound",
        ),
        ("subscribe", {"TopicArn": NOT_THERE, "Protocol": "http", "Endpoint": "http://127.0.0.1:9/"}, "NotFound"),
        ("list_subscriptions_by_topic", {"TopicArn": NOT_THERE}, "NotFound"),
        ("get_subscription_attributes", {"SubscriptionArn": NOT_THERE + ":id"}, "NotFound"),
        ("set_subscription_attributes", {"SubscriptionArn": NOT_THERE + ":id", "AttributeName": "RawMessageDelivery", "AttributeValue": "true"}, "NotFound"),
        ("tag_resource", {"ResourceArn": NOT_THERE, "Tags": [{"Key": "a", "Value": "b"}]}, "ResourceNotFound"),
        ("untag_resource", {"ResourceArn": NOT_THERE, "TagKeys": ["a"]}, "ResourceNotFound"),
        ("list_tags_for_resource", {"ResourceArn": NOT_THERE}, "ResourceNotFound"),
    ],
)
def test_what_is_not_there(sns, fails, operation, arguments, code):
    with fails(code, 404):
        getattr(sns, operation)(**arguments)


@pytest.mark.parametrize("arn", ["nonsense", "arn:aws:sqs:eu-west-1:000000000000:x", "arn:aws:sns:::"])
def test_bad_arns(unchecked_sns, fails, arn):
    with fails("InvalidParameter"):
        unchecked_sns.publish(TopicArn=arn, Message="a")


def test_permissions(sns, topic, fails):
    def allow(label, actions, topic=topic):
        sns.add_permission(TopicArn=topic, Label=label, AWSAccountId=["111111111111"], ActionName=actions)

    def statements():
        return json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]

    [default] = statements()
    allow("one", ["Publish"])
    one = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "SNS:Publish",
        "Resource": topic,
    }
    assert statements() == [default, one]
    with fails("InvalidParameter"):
        allow("one", ["Publish"])
    with fails("InvalidParameter"):
        allow("two", ["MakeCoffee"])
    with fails("NotFound", 404):
        allow("two", ["Publish"], NOT_THERE)
    for label in ["one", "never there"]:
        sns.remove_permission(TopicArn=topic, Label=label)
    assert statements() == [default]


def test_tags(sns, make_topic, fails):
    topic = make_topic(Tags=[{"Key": "team", "Value": "blue"}])

    def tags():
        return {tag["Key"]: tag["Value"] for tag in sns.list_tags_for_resource(ResourceArn=topic)["Tags"]}

    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "team", "Value": "red"}, {"Key": "é", "Value": ""}])
    assert tags() == {"team": "red", "é": ""}
    sns.untag_resource(ResourceArn=topic, TagKeys=["é", "not there"])
    assert tags() == {"team": "red"}
    with fails("InvalidParameter"):
        sns.create_topic(Name=topic.rsplit(":")[-1], Tags=[{"Key": "team", "Value": "green"}])
    many = [{"Key": f"key-{i}", "Value": ""} for i in range(51)]
    with fails("TagLimitExceeded"):
        sns.tag_resource(ResourceArn=topic, Tags=many)


def test_fan_out(sns, topic, make_queue, subscribe, receive):
    queues = [make_queue() for _ in range(3)]
    for queue in queues:
        subscribe(topic, queue)
    attributes = {
        "text": {"DataType": "String", "StringValue": "Zoë"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sns.publish(TopicArn=topic, Message="hello", MessageAttributes=attributes)
    for queue in queues:
        # Committed before the publish was answered, so that nobody has to wait.
        [message] = receive(queue, MessageAttributeNames=["All"])
        assert message["Body"] == "hello" and message["MessageAttributes"] == attributes


def test_the_trace_of_a_request_goes_with_its_message(sns, sqs, topic, queue, subscribe, receive):
    """X-Ray's instrumentation adds a header, and no parameter."""
    subscribe(topic, queue)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = trace

    for client, send in [
        (sns, lambda: sns.publish(TopicArn=topic, Message="a")),
        (sqs, lambda: sqs.send_message(QueueUrl=queue, MessageBody="a")),
    ]:
        client.meta.events.register("before-sign", add)
        try:
            send()
        finally:
            client.meta.events.unregister("before-sign", add)
        [message] = receive(queue, delete=True, MessageSystemAttributeNames=["All"])
        assert message["Attributes"]["AWSTraceHeader"] == trace


def test_nobody_listens(sns, topic):
    assert sns.publish(TopicArn=topic, Message="hello")["MessageId"]


def test_target_arn(sns, topic, queue, subscribe, bodies):
    subscribe(topic, queue)
    sns.publish(TargetArn=topic, Message="hello")
    assert bodies(queue) == ["hello"]


def test_message_structure(sns, topic, queue, subscribe, bodies, fails):
    subscribe(topic, queue)
    sns.publish(TopicArn=topic, Message=json.dumps({"default": "d", "sqs": "for queues"}), MessageStructure="json")
    sns.publish(TopicArn=topic, Message=json.dumps({"default": "d", "http": "h"}), MessageStructure="json")
    assert bodies(queue) == ["for queues", "d"]
    for message in ["nonsense", "[]", '{"sqs":"a"}']:
        with fails("InvalidParameter"):
            sns.publish(TopicArn=topic, Message=message, MessageStructure="json")
    with fails("InvalidParameter"):
        sns.publish(TopicArn=topic, Message="{}", MessageStructure="xml")


def test_publish_limits(sns, unchecked_sns, topic, fails):
    sns.publish(TopicArn=topic, Message="x" * 262_144)
    with fails("InvalidParameter"):
        sns.publish(TopicArn=topic, Message="x" * 262_145)
    with fails("InvalidParameter"):
        unchecked_sns.publish(TopicArn=topic, Message="")
    with fails("InvalidParameter"):
        sns.publish(TopicArn=topic, Message="a", Subject="x" * 101)
    with fails("InvalidParameter"):
        sns.publish(TopicArn=topic, Message="a", Subject="two\nlines")


@pytest.mark.parametrize(
    "value",
    [
        {"DataType": "String"},
        {"DataType": "String", "StringValue": ""},
        {"DataType": "Nonsense", "StringValue": "x"},
        {"DataType": "Number", "StringValue": "many"},
    ],
)
def test_bad_message_attributes(sns, topic, fails, value):
    with pytest.raises(sns.exceptions.ClientError) as caught:
        sns.publish(TopicArn=topic, Message="a", MessageAttributes={"a": value})
    assert caught.value.response["Error"]["Code"] in {"InvalidParameterValue", "ParameterValueInvalid", "InvalidParameter"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_publish_batch(sns, topic, queue, subscribe, receive):
    subscribe(topic, queue)
    entries = [
        {
            "Id": f"id-{i}",
            "Message": str(i),
            "MessageAttributes": {"n": {"DataType": "Number", "StringValue": str(i)}},
        }
        for i in range(10)
    ]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert {entry["Id"] for entry in answer["Successful"]} == {f"id-{i}" for i in range(10)}
    assert answer["Failed"] == []
    got = receive(queue, MessageAttributeNames=["All"])
    assert {(m["Body"], m["MessageAttributes"]["n"]["StringValue"]) for m in got} == {(str(i), str(i)) for i in range(10)}


def test_publish_batch_with_a_bad_attribute(sns, topic, queue, subscribe, bodies):
    """Attributes are looked at before any message is taken, so that it is all or nothing."""
    subscribe(topic, queue)
    bad = {"a": {"DataType": "Number", "StringValue": "many"}}
    with pytest.raises(sns.exceptions.ClientError) as caught:
        sns.publish_batch(
            TopicArn=topic,
            PublishBatchRequestEntries=[
                {"Id": "good", "Message": "good"},
                {"Id": "bad", "Message": "bad", "MessageAttributes": bad},
            ],
        )
    assert caught.value.response["Error"]["Code"] == "ParameterValueInvalid"
    assert bodies(queue) == []


def test_bad_publish_batches(unchecked_sns, topic, fails):
    def run(*ids, message="a"):
        unchecked_sns.publish_batch(
            TopicArn=topic, PublishBatchRequestEntries=[{"Id": id, "Message": message} for id in ids]
        )

    with fails("EmptyBatchRequest"):
        run()
    with fails("TooManyEntriesInBatchRequest"):
        run(*[str(i) for i in range(11)])
    with fails("BatchEntryIdsNotDistinct"):
        run("a", "a")
    with fails("InvalidBatchEntryId"):
        run("white space")
    with fails("BatchRequestTooLong"):
        run("1", "2", message="x" * 140_000)


def test_large_binary(sns, topic, queue, subscribe, receive):
    subscribe(topic, queue)
    value = bytes(range(256)) * 64
    sns.publish(
        TopicArn=topic, Message="a", MessageAttributes={"b": {"DataType": "Binary", "BinaryValue": value}}
    )
    [message] = receive(queue, MessageAttributeNames=["b"])
    assert message["MessageAttributes"]["b"]["BinaryValue"] == value


def test_the_deleted_queue_of_a_subscription(sns, sqs, topic, make_queue, subscribe, bodies):
    gone, there = make_queue(), make_queue()
    subscribe(topic, gone)
    subscribe(topic, there)
    sqs.delete_queue(QueueUrl=gone)
    sns.publish(TopicArn=topic, Message="hello")
    assert bodies(there) == ["hello"]


def test_unknown_action(broker, fails):
    client = broker.client("sns")
    client.meta.events.register(
        "before-call.sns.ListTopics", lambda params, **_: params["body"].update({"Action": "MakeCoffee"})
    )
    with fails("InvalidAction"):
        client.list_topics()
