"""Queues: their lives, their attributes and their tags."""

import json
import time
import urllib.request

import pytest

from processes import ACCOUNT, REGION

DEFAULTS = {
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}


@pytest.fixture
def attributes(sqs):
    return lambda url, *names: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"]).get(
        "Attributes", {}
    )


def test_create_and_find(broker, sqs, name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert url == broker.queue_url(name)
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == url


def test_defaults(queue, attributes):
    before = time.time()
    found = attributes(queue)
    assert DEFAULTS.items() <= found.items()
    assert found["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rsplit('/')[-1]}"
    assert abs(int(found["CreatedTimestamp"]) - before) < 60
    assert found["LastModifiedTimestamp"] == found["CreatedTimestamp"]
    for name in ["FifoQueue", "RedrivePolicy", "Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"]:
        assert name not in found


def test_defaults_of_fifo_queues(make_queue, attributes):
    found = attributes(make_queue(fifo=True))
    fifo = {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "FifoThroughputLimit": "perQueue",
    }
    assert {**DEFAULTS, **fifo}.items() <= found.items()


def test_attributes_by_name(queue, attributes):
    assert attributes(queue, "VisibilityTimeout", "DelaySeconds") == {"VisibilityTimeout": "30", "DelaySeconds": "0"}
    assert attributes(queue, "RedrivePolicy") == {}


def test_no_attributes_unless_asked(sqs, queue):
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)


def test_unknown_attributes(sqs, queue, name, fails):
    with fails("InvalidAttributeName"):
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Nonsense"])
    with fails("InvalidAttributeName"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Nonsense": "1"})
    with fails("InvalidAttributeName"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"ApproximateNumberOfMessages": "1"})
    with fails("InvalidAttributeName"):
        sqs.create_queue(QueueName=name, Attributes={"Nonsense": "1"})


RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1048576),
    "MessageRetentionPeriod": (60, 1209600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43200),
    "KmsDataKeyReusePeriodSeconds": (60, 86400),
}


@pytest.mark.parametrize("attribute", RANGES)
def test_ranges(sqs, queue, name, attributes, fails, attribute):
    low, high = RANGES[attribute]
    for value in [low, high]:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={attribute: str(value)})
        assert attributes(queue, attribute) == {attribute: str(value)}
    for value in [low - 1, high + 1, "", "x", "1.5", "9" * 40]:
        with fails("InvalidAttributeValue"):
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={attribute: str(value)})
        with fails("InvalidAttributeValue"):
            sqs.create_queue(QueueName=name, Attributes={attribute: str(value)})


def test_creating_again(sqs, name, fails):
    first = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5", "DelaySeconds": "0"})
    for attributes in [{}, {"VisibilityTimeout": "5"}, {"MaximumMessageSize": "1048576"}]:
        assert sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] == first["QueueUrl"]
    for attributes in [{"VisibilityTimeout": "6"}, {"DelaySeconds": "1"}]:
        with fails("QueueAlreadyExists", shape="QueueNameExists"):
            sqs.create_queue(QueueName=name, Attributes=attributes)


@pytest.mark.parametrize("bad", ["", "a" * 81, "white space", "slash/y", "é", "dot.ted", "name.fifo.x"])
def test_bad_names(unchecked_sqs, fails, bad):
    with fails("InvalidParameterValue"):
        unchecked_sqs.create_queue(QueueName=bad)


def test_fifo_names(unchecked_sqs, name, fails):
    with fails("InvalidParameterValue"):
        unchecked_sqs.create_queue(QueueName=f"{name}.fifo")
    with fails("InvalidParameterValue"):
        unchecked_sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
    with fails("InvalidParameterValue"):
        unchecked_sqs.create_queue(QueueName=".fifo", Attributes={"FifoQueue": "true"})
    with fails("InvalidAttributeName"):
        unchecked_sqs.create_queue(QueueName=name, Attributes={"ContentBasedDeduplication": "true"})


def test_the_longest_name(sqs):
    assert sqs.create_queue(QueueName="a-Z_9" * 16)["QueueUrl"].endswith("a-Z_9" * 16)


def test_missing_parameters(unchecked_sqs, queue, fails):
    with fails("MissingParameter", shape="MissingRequiredParameterException"):
        unchecked_sqs.create_queue()
    with fails("MissingParameter"):
        unchecked_sqs.get_queue_url()
    with fails("MissingParameter"):
        unchecked_sqs.send_message(QueueUrl=queue)


MISSING_QUEUE = [
    ("delete_queue", {}),
    ("get_queue_attributes", {"AttributeNames": ["All"]}),
    ("set_queue_attributes", {"Attributes": {"DelaySeconds": "1"}}),
    ("purge_queue", {}),
    ("send_message", {"MessageBody": "a"}),
    ("send_message_batch", {"Entries": [{"Id": "1", "MessageBody": "a"}]}),
    ("receive_message", {}),
    ("delete_message", {"ReceiptHandle": "x"}),
    ("delete_message_batch", {"Entries": [{"Id": "1", "ReceiptHandle": "x"}]}),
    ("change_message_visibility", {"ReceiptHandle": "x", "VisibilityTimeout": 1}),
    ("change_message_visibility_batch", {"Entries": [{"Id": "1", "ReceiptHandle": "x", "VisibilityTimeout": 1}]}),
    ("list_dead_letter_source_queues", {}),
    ("tag_queue", {"Tags": {"a": "b"}}),
    ("untag_queue", {"TagKeys": ["a"]}),
    ("list_queue_tags", {}),
]


@pytest.mark.parametrize("operation,arguments", MISSING_QUEUE)
def test_a_queue_that_is_not_there(broker, sqs, fails, operation, arguments):
    with fails("AWS.SimpleQueueService.NonExistentQueue", shape="QueueDoesNotExist"):
        getattr(sqs, operation)(QueueUrl=broker.queue_url("nothing-here"), **arguments)


def test_a_name_that_is_not_there(sqs, fails):
    with fails("AWS.SimpleQueueService.NonExistentQueue", shape="QueueDoesNotExist"):
        sqs.get_queue_url(QueueName="nothing-here")


def test_the_exception_has_its_class(sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nothing-here")


def test_delete(sqs, queue, fails):
    sqs.send_message(QueueUrl=queue, MessageBody="gone")
    sqs.delete_queue(QueueUrl=queue)
    with fails("AWS.SimpleQueueService.NonExistentQueue"):
        sqs.send_message(QueueUrl=queue, MessageBody="a")
    assert queue not in sqs.list_queues().get("QueueUrls", [])


def test_a_name_is_not_free_again_at_once(sqs, queue, fails):
    sqs.delete_queue(QueueUrl=queue)
    with fails("AWS.SimpleQueueService.QueueDeletedRecently", shape="QueueDeletedRecently"):
        sqs.create_queue(QueueName=queue.rsplit("/")[-1])


def test_what_is_deleted_is_gone_from_the_metrics(broker, sqs, sns, queue, name):
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.publish(TopicArn=topic, Message="hello")
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    labels = [f'queue="{queue.rsplit("/")[-1]}"', f'topic="{name}"']
    assert all(label in metrics(broker) for label in labels)
    sqs.delete_queue(QueueUrl=queue)
    sns.delete_topic(TopicArn=topic)
    assert not any(label in metrics(broker) for label in labels)


def metrics(broker):
    with urllib.request.urlopen(broker.url + "/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_purge(sqs, queue, receive, fails):
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(i), "MessageBody": "a"} for i in range(10)])
    receive(queue, count=3)
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
    sqs.purge_queue(QueueUrl=queue)
    assert receive(queue, wait=2) == []
    with fails("AWS.SimpleQueueService.PurgeQueueInProgress", 403):
        sqs.purge_queue(QueueUrl=queue)


def test_list(broker, sqs):
    names = [f"listed-{i:02}" for i in range(7)]
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in names]
    assert sorted(sqs.list_queues(QueueNamePrefix="listed-")["QueueUrls"]) == urls
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nobody-is-called-this")
    page = sqs.list_queues(QueueNamePrefix="listed-", MaxResults=3)
    assert len(page["QueueUrls"]) == 3 and page["NextToken"]
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix="listed-", PaginationConfig={"PageSize": 3}
    )
    assert sorted(url for page in pages for url in page.get("QueueUrls", [])) == urls


@pytest.mark.parametrize("count", [0, 1001, -1])
def test_wrong_page_sizes(sqs, fails, count):
    with fails("InvalidParameterValue"):
        sqs.list_queues(MaxResults=count)


def test_counts(sqs, queue, receive, attributes):
    for delay in [0, 0, 0, 60]:
        sqs.send_message(QueueUrl=queue, MessageBody="a", DelaySeconds=delay)
    receive(queue, count=1)
    found = attributes(queue)
    assert found["ApproximateNumberOfMessages"] == "2"
    assert found["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert found["ApproximateNumberOfMessagesDelayed"] == "1"


def test_set_attributes_one_by_one(queue, sqs, attributes):
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "7"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "3"})
    assert attributes(queue, "VisibilityTimeout", "DelaySeconds") == {"VisibilityTimeout": "7", "DelaySeconds": "3"}


def test_policy_is_kept(queue, sqs, attributes, fails):
    policy = '{"Version":"2012-10-17","Statement":[]}'
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    assert attributes(queue, "Policy") == {"Policy": policy}
    with fails("InvalidAttributeValue"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": "[]"})
    assert attributes(queue, "Policy") == {"Policy": policy}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])


def test_permissions(queue, sqs, attributes, arn, fails):
    def allow(label, accounts, actions):
        sqs.add_permission(QueueUrl=queue, Label=label, AWSAccountIds=accounts, Actions=actions)

    def policy():
        return json.loads(attributes(queue, "Policy")["Policy"])

    allow("one", ["111111111111"], ["*"])
    allow("two", ["111111111111", "222222222222"], ["SendMessage", "GetQueueUrl"])
    one = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "SQS:*",
        "Resource": arn(queue),
    }
    two = {
        "Sid": "two",
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]},
        "Action": ["SQS:SendMessage", "SQS:GetQueueUrl"],
        "Resource": arn(queue),
    }
    assert policy()["Version"] == "2008-10-17" and policy()["Statement"] == [one, two]
    for arguments in [
        ("one", ["1"], ["SendMessage"]),
        ("white space", ["1"], ["SendMessage"]),
        ("three", [], ["SendMessage"]),
        ("three", ["1"], ["DeleteQueue"]),
    ]:
        with fails("InvalidParameterValue"):
            allow(*arguments)
    with fails("OverLimit", 403):
        allow("three", ["1"], ["SendMessage"] * 8)
    sqs.remove_permission(QueueUrl=queue, Label="one")
    assert policy()["Statement"] == [two]
    with fails("InvalidParameterValue"):
        sqs.remove_permission(QueueUrl=queue, Label="one")
    sqs.remove_permission(QueueUrl=queue, Label="two")
    assert attributes(queue, "Policy") == {}


def test_encryption_is_kept(make_queue, sqs, attributes, fails):
    """Nothing is encrypted, but what is asked for can be read back."""
    names = ["SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"]
    queue = make_queue({"KmsMasterKeyId": "alias/aws/sqs"})
    kms = {"KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}
    assert attributes(queue, *names) == kms
    assert kms.items() <= attributes(queue).items()
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": ""})
    assert attributes(queue, *names) == {"SqsManagedSseEnabled": "true"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"SqsManagedSseEnabled": "false"})
    assert attributes(queue, *names) == {"SqsManagedSseEnabled": "false"}
    with fails("InvalidAttributeValue"):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"SqsManagedSseEnabled": "perhaps"})


def test_fifo_cannot_be_changed(make_queue, sqs, fails):
    with fails("InvalidAttributeName"):
        sqs.set_queue_attributes(QueueUrl=make_queue(), Attributes={"FifoQueue": "true"})


def test_tags(make_queue, sqs):
    queue = make_queue(tags={"team": "blue"})
    sqs.tag_queue(QueueUrl=queue, Tags={"cost": "1", "é": "", "team": "red"})
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"team": "red", "cost": "1", "é": ""}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["cost", "é", "not there"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"team": "red"}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["team"])
    assert not sqs.list_queue_tags(QueueUrl=queue).get("Tags")


@pytest.mark.parametrize(
    "tags", [{"": "a"}, {"k" * 129: "a"}, {"a": "v" * 257}, {"aws:mine": "a"}, {f"key-{i}": "a" for i in range(51)}]
)
def test_bad_tags(queue, unchecked_sqs, fails, tags):
    with fails("InvalidParameterValue"):
        unchecked_sqs.tag_queue(QueueUrl=queue, Tags=tags)
    assert not unchecked_sqs.list_queue_tags(QueueUrl=queue).get("Tags")


def test_unknown_operation(broker, fails):
    client = broker.client("sqs")
    client.meta.events.register(
        "before-call.sqs.ListQueues",
        lambda params, **_: params["headers"].update({"X-Amz-Target": "AmazonSQS.MakeCoffee"}),
    )
    with fails("InvalidAction", shape="UnknownOperationException"):
        client.list_queues()
