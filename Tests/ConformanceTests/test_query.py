"""The protocols on the wire: SQS in JSON and in the older Query protocol, SNS in Query."""

import json
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SQS = "{http://queue.amazonaws.com/doc/2012-11-05/}"
SNS = "{http://sns.amazonaws.com/doc/2010-03-31/}"


@pytest.fixture
def post(broker):
    def post(body, headers, path="/", service="sqs"):
        request = AWSRequest(method="POST", url=broker.url + path, data=body, headers=headers)
        botocore.auth.SigV4Auth(Credentials(broker.key_id, broker.secret), service, "us-east-1").add_auth(request)
        real = urllib.request.Request(broker.url + path, data=body.encode(), headers=dict(request.headers))
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


def test_query_errors(query):
    status, root = query("GetQueueUrl", QueueName="not-there")
    assert status == 400 and root.tag == SQS + "ErrorResponse"
    assert values(root, "Code") == ["AWS.SimpleQueueService.NonExistentQueue"] and values(root, "Type") == ["Sender"]
    assert values(query("MakeCoffee")[1], "Code") == ["InvalidAction"]
    assert values(query("CreateQueue")[1], "Code") == ["MissingParameter"]
