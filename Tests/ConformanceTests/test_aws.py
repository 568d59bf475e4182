"""The shop on Amazon SNS and SQS, as moto has them: deploy/aws/messaging.yaml is deployed, an order makes its journey, and
whatever a service asks for is in its policy."""

import fnmatch
import json
import urllib.request
from pathlib import Path

import pytest
from cfnlint.api import lint_file
from cfnlint.decode.cfn_yaml import load

from moto_server import Moto
from processes import REGION, Broker, Program, eventually
from shop_processes import SERVICES, Shop

# What is done only when something fails or comes too early, which need not happen here.
SELDOM = {
    *((name, "sqs:ChangeMessageVisibility") for name in SERVICES),
    *((name, "sqs:SendMessage") for name in ["email", "notification"]),
    ("order", "sqs:SetQueueAttributes"),
}

TEMPLATE = Path(__file__).parents[2] / "deploy" / "aws" / "messaging.yaml"


def test_template():
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def deploy(moto):
    """Makes what the template says, and returns the ARNs of the services' policies."""
    stacks = moto.client("cloudformation")
    stacks.create_stack(StackName="shop", TemplateBody=TEMPLATE.read_text(), Capabilities=["CAPABILITY_IAM"])
    [stack] = stacks.describe_stacks()["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    # moto leaves subscriptions and alarms out of a stack.
    ids = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in stacks.describe_stack_resources(StackName="shop")["StackResources"]
        if "LogicalResourceId" in resource
    }
    sns, sqs = moto.client("sns"), moto.client("sqs")
    for resource in load(TEMPLATE)["Resources"].values():
        if resource["Type"] == "AWS::SNS::Subscription":
            subscription = resource["Properties"]
            [queue, _] = subscription["Endpoint"]["Fn::GetAtt"]
            attributes = sqs.get_queue_attributes(QueueUrl=ids[queue], AttributeNames=["QueueArn"])["Attributes"]
            sns.subscribe(
                TopicArn=ids[subscription["TopicArn"]["Ref"]],
                Protocol=subscription["Protocol"],
                Endpoint=attributes["QueueArn"],
                Attributes={
                    "RawMessageDelivery": json.dumps(subscription["RawMessageDelivery"]),
                    "FilterPolicy": json.dumps(subscription["FilterPolicy"]),
                },
            )
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.fixture(scope="session")
def moto():
    moto = Moto()
    yield moto
    moto.stop()


@pytest.fixture(scope="session")
def policies(moto):
    """What each service may do: pairs of action and resource, by its name."""
    arns, iam = deploy(moto), moto.client("iam")

    def permissions(name):
        arn = arns[f"{name.capitalize()}Service"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        for statement in document["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in [resources] if isinstance(resources, str) else resources:
                    yield action, resource

    return {name: list(permissions(name)) for name in SERVICES}


def channels(account):
    """All queues, and who hears what."""
    sns, sqs = account.client("sns"), account.client("sqs")
    queues = {url.split("/")[-1] for url in sqs.list_queues()["QueueUrls"]}
    heard = set()
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
        assert attributes["RawMessageDelivery"] == "true"
        types = tuple(sorted(json.loads(attributes["FilterPolicy"])["type"]))
        heard.add((subscription["TopicArn"].split(":")[-1], subscription["Endpoint"].split(":")[-1], types))
    return {queue for queue in queues if "-replies-" not in queue}, heard


def test_template_has_what_services_make(moto, policies):
    """A broker that has nothing yet gets its channels from the services."""
    broker = Broker()
    loyalty = Program(
        "loyalty",
        broker.folder,
        AWS_ENDPOINT_URL=broker.url,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID=broker.key_id,
        AWS_SECRET_ACCESS_KEY=broker.secret,
    )
    try:
        eventually("loyalty is ready", lambda: Shop.is_ready(loyalty), within=30)
        assert channels(broker) == channels(moto)
    finally:
        loyalty.stop()
        broker.stop()


@pytest.fixture(scope="session")
def shop(moto, policies):
    # Each has a key of its own, by which its requests are told from the others'.
    own = {name: {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": "secret"} for name in SERVICES}
    shop = Shop(moto, own, MESSAGE_CHANNELS="find")
    yield shop
    shop.stop()


def get(url, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_journey(shop):
    order = shop.order("ada")
    [mail] = eventually("the mail is there", lambda: get(f"{shop['email'].url}/mails?orderId={order}")["mails"])
    assert "ada@example.com" in json.dumps(mail)
    eventually("the points are there", lambda: get(f"{shop['loyalty'].url}/customers/ada/points")["points"] > 0)
    eventually(
        "the customer was told of order, confirmation and points",
        lambda: len(get(f"{shop['notification'].url}/customers/ada/notifications")["notifications"]) >= 3,
    )


def test_request_and_reply(shop):
    question = {
        "customerId": "ada", "items": [{"sku": "MUG-ENAMEL", "quantity": 1}], "paymentMethod": "pm_ok",
        "deadlineMilliseconds": 5000,
    }
    quote = eventually(
        "all three have answered in time",
        lambda: (quote := get(f"{shop['order'].url}/quotes", question)) and not quote["missing"] and quote,
        within=30,
    )
    assert quote["total"]


def test_policies(shop, moto, policies):
    """Nobody asked for anything that its policy doesn't allow, and what a policy allows is asked for."""
    order = shop.order("grace")
    eventually("it is over", lambda: get(f"{shop['email'].url}/mails?orderId={order}")["mails"])
    for service in shop.services.values():
        service.terminate()
    asked = {name: set() for name in SERVICES}
    for key, action, parameters in moto.requests():
        if key in asked and action != "sts:GetCallerIdentity":
            asked[key].add((action.removesuffix("Batch"), resource(action, parameters)))
    for name, requests in asked.items():
        for action, arn in requests:
            allowed = any(action == one and fnmatch.fnmatchcase(arn, pattern) for one, pattern in policies[name])
            assert allowed, f"{name} has no right to {action} of {arn}"
    unused = {
        (name, action) for name in SERVICES for action, _ in policies[name]
        if action not in {one for one, _ in asked[name]}
    }
    assert unused <= SELDOM


def resource(action, parameters):
    if arn := parameters.get("TopicArn"):
        return arn
    if name := parameters.get("QueueName") or parameters.get("QueueUrl", "").split("/")[-1]:
        return f"arn:aws:sqs:{REGION}:123456789012:{name}"
    assert action == "sqs:ListQueues", f"what is {action} about?"
    return "*"
