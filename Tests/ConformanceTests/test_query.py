"""The protocols on the wire: SQS in JSON and in the older Query protocol, SNS in Query."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import digests
from processes import ACCOUNT, REGION, eventually

SQS = "{http://queue.amazonaws.com/doc/2012-11-05/}"
SNS = "{http://sns.amazonaws.com/doc/2010-03-31/}"


@pytest.fixture
def post(broker):
    def post(body, headers, path="/", service="sqs", method="POST", written=None):
        """`written` is how the path is sent, if not as it is signed."""
        request = AWSRequest(method=method, url=broker.url + path, data=body, headers=headers)
        botocore.auth.SigV4Auth(Credentials(broker.key_id, broker.secret), service, REGION).add_auth(request)
        data = body.encode() if method == "POST" else None
        real = urllib.request.Request(broker.url + (written or path), data=data, headers=dict(request.headers))
        try:
            with urllib.request.urlopen(real, timeout=10) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    return post


@pytest.fixture
def query(post):
    """An SQS operation in the Query protocol."""

    def query(action, path="/", **parameters):
        form = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **parameters})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, headers, body = post(form, headers, path)
        assert headers["Content-Type"].startswith("text/xml")
        return status, xml.etree.ElementTree.fromstring(body)

    return query


def values(root, name):
    return [element.text for element in root.iter(SQS + name)]


def test_json_errors(post):
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.GetQueueUrl"}
    status, headers, body = post('{"QueueName":"not-there"}', headers)
    assert status == 400
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["x-amzn-RequestId"]
    assert json.loads(body)["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"
    assert json.loads(body)["message"] == "The specified queue does not exist."


@pytest.mark.parametrize(
    "operation,body,name",
    [
        ("MakeCoffee", "{}", "com.amazon.coral.service#UnknownOperationException"),
        ("CreateQueue", "[", "com.amazon.coral.service#SerializationException"),
        ("SendMessage", "[", "com.amazon.coral.service#SerializationException"),
        ("CreateQueue", "{}", "com.amazon.coral.service#MissingRequiredParameterException"),
        ("ListQueues", '{"MaxResults":0}', "com.amazon.coral.service#InvalidParameterValueException"),
        ("CreateQueue", '{"QueueName":"q","Attributes":{"a":""}}', "com.amazonaws.sqs#InvalidAttributeName"),
    ],
)
def test_names_of_errors(post, operation, body, name):
    """Those of SQS alone have its name space, and those that Amazon's other services have too have another."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
    status, _, answer = post(body, headers)
    assert (status, json.loads(answer)["__type"]) == (400, name)


def test_sns_errors(post):
    form = "Action=GetTopicAttributes&Version=2010-03-31&TopicArn=arn:aws:sns:us-east-1:000000000000:not-there"
    status, headers, body = post(form, {"Content-Type": "application/x-www-form-urlencoded"}, service="sns")
    root = xml.etree.ElementTree.fromstring(body)
    assert status == 404 and root.tag == SNS + "ErrorResponse"
    assert [root.find(f"{SNS}Error/{SNS}{name}").text for name in ["Type", "Code"]] == ["Sender", "NotFound"]
    assert root.find(SNS + "RequestId").text == headers["x-amzn-RequestId"]


def test_queue_life(query, name, sqs):
    status, root = query("CreateQueue", QueueName=name, **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"})
    assert status == 200 and root.tag == SQS + "CreateQueueResponse"
    [url] = values(root, "QueueUrl")
    assert url == sqs.get_queue_url(QueueName=name)["QueueUrl"]
    assert root.find(f"{SQS}ResponseMetadata/{SQS}RequestId").text
    assert values(query("GetQueueUrl", QueueName=name)[1], "QueueUrl") == [url]
    assert url in values(query("ListQueues", QueueNamePrefix=name)[1], "QueueUrl")
    _, root = query("GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "VisibilityTimeout"})
    assert values(root, "Name") == ["VisibilityTimeout"] and values(root, "Value") == ["30"]
    assert query("SetQueueAttributes", QueueUrl=url, **{"Attribute.Name": "VisibilityTimeout", "Attribute.Value": "9"})[0] == 200
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"] == "9"
    assert query("DeleteQueue", QueueUrl=url)[0] == 200
    assert query("GetQueueUrl", QueueName=name)[0] == 400


def test_messages(query, queue):
    path = "/" + queue.split("/", 3)[3]
    attribute = {
        "MessageAttribute.1.Name": "n",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "<v>",
    }
    # The queue's own address names it, too.
    status, root = query("SendMessage", path=path, MessageBody="Zoë & co", **attribute)
    assert status == 200
    [id], [md5] = values(root, "MessageId"), values(root, "MD5OfMessageAttributes")
    _, root = query("ReceiveMessage", path=path, **{"AttributeName.1": "All", "MessageAttributeName.1": "All"})
    assert values(root, "Body") == ["Zoë & co"] and values(root, "MessageId") == [id]
    assert values(root, "MD5OfMessageAttributes") == [md5] and "<v>" in values(root, "StringValue")
    [handle] = values(root, "ReceiptHandle")
    assert query("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=60)[0] == 200
    assert query("DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)[0] == 200


def test_a_request_in_the_address(post, queue, bodies):
    """The oldest clients send no form: all is in the queue's own address, and need not say which version they speak."""
    for parameters in [{"Version": "2012-11-05"}, {}]:
        query = urllib.parse.urlencode({"Action": "SendMessage", "MessageBody": "hello", **parameters})
        path = f"/{queue.split('/', 3)[3]}?{query}"
        status, _, answer = post("", {}, path, method="GET")
        assert status == 200 and "SendMessageResult" in answer
        assert bodies(queue) == ["hello"]


def test_a_form_in_the_address(post, sns, topic, queue, subscribe, bodies):
    subscribe(topic, queue)
    form = {"Action": "Publish", "TopicArn": topic, "Message": "hello world"}
    path = f"/?{urllib.parse.urlencode(form, quote_via=urllib.parse.quote)}"
    # The same with a + for the space.
    status, _, answer = post("", {}, path, service="sns", written=f"/?{urllib.parse.urlencode(form)}")
    assert status == 200 and "PublishResult" in answer
    assert bodies(queue) == ["hello world"]


def test_batches(query, queue):
    entries = {}
    for i in range(1, 4):
        entries[f"SendMessageBatchRequestEntry.{i}.Id"] = str(i)
        entries[f"SendMessageBatchRequestEntry.{i}.MessageBody"] = f"body {i}"
    status, root = query("SendMessageBatch", QueueUrl=queue, **entries)
    assert status == 200 and sorted(values(root, "Id")) == ["1", "2", "3"]
    _, root = query("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10)
    handles = values(root, "ReceiptHandle")
    assert len(handles) == 3
    entries = {}
    for i, handle in enumerate([*handles, "nonsense"], 1):
        entries[f"DeleteMessageBatchRequestEntry.{i}.Id"] = str(i)
        entries[f"DeleteMessageBatchRequestEntry.{i}.ReceiptHandle"] = handle
    _, root = query("DeleteMessageBatch", QueueUrl=queue, **entries)
    assert len(root.findall(f".//{SQS}DeleteMessageBatchResultEntry")) == 3
    assert [e.text for e in root.findall(f".//{SQS}BatchResultErrorEntry/{SQS}Id")] == ["4"]


def test_lists_of_nothing(query, queue):
    """As botocore writes them in this protocol."""
    query("SendMessage", QueueUrl=queue, MessageBody="a")
    _, root = query("ReceiveMessage", QueueUrl=queue, MessageAttributeNames="", AttributeNames="")
    assert values(root, "Body") == ["a"]
    status, root = query("SendMessageBatch", QueueUrl=queue, Entries="")
    assert (status, values(root, "Code")) == (400, ["AWS.SimpleQueueService.EmptyBatchRequest"])


def test_batches_of_visibility(query, sqs, queue, receive):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    [message] = receive(queue)
    entry = "ChangeMessageVisibilityBatchRequestEntry"
    entries = {}
    for i, handle in enumerate([message["ReceiptHandle"], "nonsense"], 1):
        entries |= {f"{entry}.{i}.Id": str(i), f"{entry}.{i}.ReceiptHandle": handle, f"{entry}.{i}.VisibilityTimeout": 0}
    status, root = query("ChangeMessageVisibilityBatch", QueueUrl=queue, **entries)
    assert status == 200
    [changed] = root.iter(SQS + "ChangeMessageVisibilityBatchResultEntry")
    [failed] = root.iter(SQS + "BatchResultErrorEntry")
    assert values(changed, "Id") == ["1"] and values(failed, "Id") == ["2"]
    assert values(failed, "Code") == ["ReceiptHandleIsInvalid"] and values(failed, "SenderFault") == ["true"]
    assert len(receive(queue)) == 1


def test_digests(query, queue):
    attributes = {
        "text": {"DataType": "String", "StringValue": "Zoë & co"},
        "number": {"DataType": "Number.int", "StringValue": "42"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    message = {"MessageBody": "Zoë", "MessageAttributes": attributes, "MessageSystemAttributes": trace}
    form = {"MessageBody": "Zoë", **named("MessageAttribute", attributes), **named("MessageSystemAttribute", trace)}
    entry = "SendMessageBatchRequestEntry.1"
    batch = {f"{entry}.Id": "1", **{f"{entry}.{name}": value for name, value in form.items()}}
    for _, root in [query("SendMessage", QueueUrl=queue, **form), query("SendMessageBatch", QueueUrl=queue, **batch)]:
        digests.check_sent({element.tag.removeprefix(SQS): element.text for element in root.iter()}, message)
    # Of those that are asked for.
    names = {"MessageAttributeName.1": "bytes", "MessageAttributeName.2": "text"}
    _, root = query("ReceiveMessage", QueueUrl=queue, **names)
    assert values(root, "MD5OfBody") == [digests.of_body("Zoë")]
    asked = {name: attributes[name] for name in ["bytes", "text"]}
    assert values(root, "MD5OfMessageAttributes") == [digests.of_attributes(asked)]
    assert values(root, "BinaryValue") == [base64.b64encode(b"\x00\xff").decode()]


def named(kind, attributes):
    """Attributes as a form spells them."""
    form = {}
    for i, (name, attribute) in enumerate(attributes.items(), 1):
        form[f"{kind}.{i}.Name"] = name
        for part, value in attribute.items():
            form[f"{kind}.{i}.Value.{part}"] = base64.b64encode(value) if part == "BinaryValue" else value
    return form


def test_tags(query, name):
    _, root = query("CreateQueue", QueueName=name, **{"Tag.1.Key": "team", "Tag.1.Value": "blue"})
    [url] = values(root, "QueueUrl")
    more = {"Tag.1.Key": "é", "Tag.1.Value": "", "Tag.2.Key": "a", "Tag.2.Value": "<b>"}
    status, root = query("TagQueue", QueueUrl=url, **more)
    assert status == 200 and root.tag == SQS + "TagQueueResponse"
    _, root = query("ListQueueTags", QueueUrl=url)
    tags = {values(tag, "Key")[0]: values(tag, "Value")[0] or "" for tag in root.iter(SQS + "Tag")}
    assert tags == {"team": "blue", "é": "", "a": "<b>"}
    status, root = query("UntagQueue", QueueUrl=url, **{"TagKey.1": "team", "TagKey.2": "é"})
    assert status == 200 and root.tag == SQS + "UntagQueueResponse"
    assert values(query("ListQueueTags", QueueUrl=url)[1], "Key") == ["a"]


def test_permissions(query, sqs, queue):
    permission = {"Label": "l", "AWSAccountId.1": "111111111111", "ActionName.1": "SendMessage"}
    status, root = query("AddPermission", QueueUrl=queue, **permission)
    assert status == 200 and root.tag == SQS + "AddPermissionResponse"
    [policy] = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"].values()
    assert json.loads(policy)["Statement"][0]["Action"] == "SQS:SendMessage"
    assert query("RemovePermission", QueueUrl=queue, Label="l")[0] == 200


def test_purge(query, sqs, queue, receive):
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    status, root = query("PurgeQueue", QueueUrl=queue)
    assert status == 200 and root.tag == SQS + "PurgeQueueResponse"
    assert receive(queue) == []
    status, root = query("PurgeQueue", QueueUrl=queue)
    assert status == 403 and values(root, "Code") == ["AWS.SimpleQueueService.PurgeQueueInProgress"]


def test_move_tasks(query, sqs, make_queue, arn):
    dead, target = make_queue(), make_queue()
    source = make_queue({"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})})
    assert values(query("ListDeadLetterSourceQueues", QueueUrl=dead)[1], "QueueUrl") == [source]
    sqs.send_message_batch(QueueUrl=dead, Entries=[{"Id": str(i), "MessageBody": "a"} for i in range(5)])
    arguments = {"SourceArn": arn(dead), "DestinationArn": arn(target), "MaxNumberOfMessagesPerSecond": 1}
    status, root = query("StartMessageMoveTask", **arguments)
    [handle] = values(root, "TaskHandle")
    assert status == 200 and root.tag == SQS + "StartMessageMoveTaskResponse"

    def task():
        [task] = query("ListMessageMoveTasks", SourceArn=arn(dead))[1].iter(SQS + "ListMessageMoveTasksResultEntry")
        return {element.tag.removeprefix(SQS): element.text for element in task}

    expected = {
        **{name: str(value) for name, value in arguments.items()},
        "TaskHandle": handle,
        "Status": "RUNNING",
        "ApproximateNumberOfMessagesToMove": "5",
    }
    assert expected.items() <= task().items()
    [moved] = values(query("CancelMessageMoveTask", TaskHandle=handle)[1], "ApproximateNumberOfMessagesMoved")
    assert 0 <= int(moved) < 5
    eventually("it is cancelled", lambda: task()["Status"] == "CANCELLED")


NOT_THERE = f"http://127.0.0.1/{ACCOUNT}/nothing-here"
NO_QUEUE = ({"QueueUrl": NOT_THERE}, "AWS.SimpleQueueService.NonExistentQueue")
# Each operation with what is wrong with it; without a QueueUrl it is about a queue that is there.
WRONG = {
    "AddPermission": ({"Label": "l", "AWSAccountId.1": "1", "ActionName.1": "DeleteQueue"}, "InvalidParameterValue"),
    "CancelMessageMoveTask": ({"TaskHandle": "nonsense"}, "InvalidParameterValue"),
    "ChangeMessageVisibility": ({"ReceiptHandle": "x", "VisibilityTimeout": 43201}, "InvalidParameterValue"),
    "ChangeMessageVisibilityBatch": (
        {f"ChangeMessageVisibilityBatchRequestEntry.1.{name}": "a b" for name in ["Id", "ReceiptHandle"]},
        "AWS.SimpleQueueService.InvalidBatchEntryId",
    ),
    "CreateQueue": ({"QueueName": "white space"}, "InvalidParameterValue"),
    "DeleteMessage": ({"ReceiptHandle": "nonsense"}, "ReceiptHandleIsInvalid"),
    "DeleteMessageBatch": (
        {f"DeleteMessageBatchRequestEntry.{i}.{name}": "x" for i in [1, 2] for name in ["Id", "ReceiptHandle"]},
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    ),
    "DeleteQueue": NO_QUEUE,
    "GetQueueAttributes": ({"AttributeName.1": "Nonsense"}, "InvalidAttributeName"),
    "GetQueueUrl": ({"QueueName": "nothing-here"}, "AWS.SimpleQueueService.NonExistentQueue"),
    "ListDeadLetterSourceQueues": NO_QUEUE,
    "ListMessageMoveTasks": ({"SourceArn": "nonsense"}, "InvalidParameterValue"),
    "ListQueueTags": NO_QUEUE,
    "ListQueues": ({"MaxResults": 1001}, "InvalidParameterValue"),
    "PurgeQueue": NO_QUEUE,
    "ReceiveMessage": ({"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
    "RemovePermission": ({"Label": "l"}, "InvalidParameterValue"),
    "SendMessage": ({"MessageBody": "a", "DelaySeconds": 901}, "InvalidParameterValue"),
    "SendMessageBatch": (
        {f"SendMessageBatchRequestEntry.{i}.{name}": str(i) for i in range(11) for name in ["Id", "MessageBody"]},
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    ),
    "SetQueueAttributes": ({"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "901"}, "InvalidAttributeValue"),
    "StartMessageMoveTask": ({"SourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:nothing-here"}, "ResourceNotFoundException"),
    "TagQueue": ({"Tag.1.Key": "aws:mine", "Tag.1.Value": "x"}, "InvalidParameterValue"),
    "UntagQueue": ({}, "MissingParameter"),
}


@pytest.mark.parametrize("action", WRONG)
def test_what_is_wrong_in_a_form(query, queue, action):
    parameters, code = WRONG[action]
    status, root = query(action, **{"QueueUrl": queue, **parameters})
    assert status == (404 if code == "ResourceNotFoundException" else 400) and root.tag == SQS + "ErrorResponse"
    assert values(root, "Code") == [code] and values(root, "Type") == ["Sender"]
    assert values(root, "Message")[0] and values(root, "RequestId")[0]


def test_all_operations_are_among_them(sqs):
    assert set(sqs.meta.service_model.operation_names) == set(WRONG)


def test_query_errors(query):
    status, root = query("GetQueueUrl", QueueName="not-there")
    assert status == 400 and root.tag == SQS + "ErrorResponse"
    assert values(root, "Code") == ["AWS.SimpleQueueService.NonExistentQueue"] and values(root, "Type") == ["Sender"]
    assert values(query("MakeCoffee")[1], "Code") == ["InvalidAction"]
    assert values(query("CreateQueue")[1], "Code") == ["MissingParameter"]
