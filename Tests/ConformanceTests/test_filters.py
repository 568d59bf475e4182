"""Filter policies: every documented operator, in both scopes."""

import json

import pytest


def text(value):
    return {"DataType": "String", "StringValue": value}


def number(value):
    return {"DataType": "Number", "StringValue": str(value)}


def array(*values):
    return {"DataType": "String.Array", "StringValue": json.dumps(values)}


# Policy, attributes that pass, attributes that don't.
ATTRIBUTES = {
    "exact": ({"a": ["x", "y"]}, [{"a": text("x")}, {"a": text("y"), "b": text("z")}], [{"a": text("z")}, {"b": text("x")}, {}]),
    "exact-is-case-sensitive": ({"a": ["x"]}, [{"a": text("x")}], [{"a": text("X")}]),
    "and": ({"a": ["x"], "b": ["y"]}, [{"a": text("x"), "b": text("y")}], [{"a": text("x")}, {"a": text("x"), "b": text("x")}]),
    "or": (
        {"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 1]}]}]},
        [{"a": text("x")}, {"b": number(2)}],
        [{"a": text("y")}, {"b": number(1)}, {}],
    ),
    "or-and-more": (
        {"c": ["z"], "$or": [{"a": ["x"]}, {"b": ["y"]}]},
        [{"c": text("z"), "a": text("x")}, {"c": text("z"), "b": text("y")}],
        [{"a": text("x")}, {"c": text("z")}],
    ),
    "prefix": ({"a": [{"prefix": "ab"}]}, [{"a": text("abc")}, {"a": text("ab")}], [{"a": text("bab")}]),
    "suffix": ({"a": [{"suffix": "yz"}]}, [{"a": text("xyz")}], [{"a": text("yzx")}]),
    "equals-ignore-case": ({"a": [{"equals-ignore-case": "Ab"}]}, [{"a": text("aB")}], [{"a": text("abc")}]),
    "wildcard": ({"a": [{"wildcard": "a*z"}]}, [{"a": text("az")}, {"a": text("abcz")}], [{"a": text("azb")}]),
    "anything-but": ({"a": [{"anything-but": ["x", "y"]}]}, [{"a": text("z")}], [{"a": text("x")}, {"b": text("z")}]),
    "anything-but-one": ({"a": [{"anything-but": "x"}]}, [{"a": text("z")}], [{"a": text("x")}]),
    "anything-but-number": ({"a": [{"anything-but": [1, 2]}]}, [{"a": number(3)}], [{"a": number(1)}, {"a": number("2.0")}]),
    "anything-but-prefix": ({"a": [{"anything-but": {"prefix": "x"}}]}, [{"a": text("yx")}], [{"a": text("xy")}]),
    "anything-but-suffix": ({"a": [{"anything-but": {"suffix": "x"}}]}, [{"a": text("xy")}], [{"a": text("yx")}]),
    "anything-but-wildcard": ({"a": [{"anything-but": {"wildcard": "*x*"}}]}, [{"a": text("abc")}], [{"a": text("axb")}]),
    "anything-but-ignore-case": (
        {"a": [{"anything-but": {"equals-ignore-case": "x"}}]},
        [{"a": text("y")}],
        [{"a": text("X")}],
    ),
    "numeric": ({"a": [{"numeric": ["=", 3.5]}]}, [{"a": number("3.50")}], [{"a": number(3)}, {"a": text("3.5")}]),
    "numeric-range": (
        {"a": [{"numeric": [">=", -1, "<", 10]}]},
        [{"a": number(-1)}, {"a": number("9.9")}],
        [{"a": number(10)}, {"a": number("-1.1")}],
    ),
    "number": ({"a": [42]}, [{"a": number(42)}], [{"a": number(43)}, {"a": text("42")}]),
    "exists": ({"a": [{"exists": True}]}, [{"a": text("x")}, {"a": number(1)}], [{"b": text("x")}, {}]),
    "exists-not": ({"a": [{"exists": False}]}, [{"b": text("x")}, {}], [{"a": text("x")}]),
    "cidr": ({"a": [{"cidr": "10.0.0.0/24"}]}, [{"a": text("10.0.0.255")}], [{"a": text("10.0.1.0")}, {"a": text("x")}]),
    "cidr-6": ({"a": [{"cidr": "2001:db8::/32"}]}, [{"a": text("2001:db8::1")}], [{"a": text("2001:db9::1")}]),
    "array": ({"a": ["x"]}, [{"a": array("w", "x")}], [{"a": array("w")}, {"a": array()}]),
    "array-of-numbers": ({"a": [{"numeric": [">", 5]}]}, [{"a": array(1, 6)}], [{"a": array(1, 5)}]),
    "several-operators": (
        {"a": [{"prefix": "x"}, {"suffix": "z"}, "m"]},
        [{"a": text("xa")}, {"a": text("az")}, {"a": text("m")}],
        [{"a": text("am")}],
    ),
}


def check(sns, receive, topic, queue, good, bad):
    """Publishes both kinds, the bad ones first so that none is still on its way, and returns what arrived."""
    for kind, messages in [("bad", bad), ("good", good)]:
        for number, arguments in enumerate(messages):
            sns.publish(TopicArn=topic, **{"Message": f"{kind} {number}", **arguments})
    return [message["Body"] for _ in range(2) for message in receive(queue, delete=True)]


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes(sns, topic, queue, subscribe, receive, case):
    policy, good, bad = ATTRIBUTES[case]
    subscribe(topic, queue, FilterPolicy=json.dumps(policy))
    bodies = check(
        sns, receive, topic, queue, [{"MessageAttributes": a} for a in good], [{"MessageAttributes": a} for a in bad]
    )
    assert sorted(bodies) == [f"good {i}" for i in range(len(good))]


BODIES = {
    "exact": ({"a": ["x"]}, [{"a": "x"}, {"a": ["w", "x"]}], [{"a": "y"}, {"b": "x"}, {"a": {"a": "x"}}]),
    "nested": ({"a": {"b": ["x"], "c": [1]}}, [{"a": {"b": "x", "c": 1}}], [{"a": {"b": "x"}}, {"b": "x", "c": 1}]),
    "in-arrays": ({"a": {"b": ["x"]}}, [{"a": [{"b": "y"}, {"b": "x"}]}], [{"a": [{"b": "y"}]}]),
    "null": ({"a": [None]}, [{"a": None}], [{"a": "null"}, {"a": 0}]),
    "bool": ({"a": [True]}, [{"a": True}], [{"a": False}, {"a": "true"}]),
    "numeric": ({"a": [{"numeric": ["<", 0]}]}, [{"a": -0.5}], [{"a": 0}, {"a": "-1"}]),
    "exists": ({"a": {"b": [{"exists": True}]}}, [{"a": {"b": 0}}], [{"a": {}}, {"b": 1}]),
    "exists-not": ({"a": {"b": [{"exists": False}]}}, [{"a": {"c": 0}}, {"b": 1}], [{"a": {"b": 1}}]),
    "or": ({"$or": [{"a": {"b": ["x"]}}, {"c": ["y"]}]}, [{"a": {"b": "x"}}, {"c": "y"}], [{"a": {"b": "y"}}]),
    "text": ({"a": [{"prefix": "é"}]}, [{"a": "éa"}], [{"a": "e"}, {"a": 1}]),
    "suffix": ({"a": {"b": [{"suffix": "é"}]}}, [{"a": {"b": "aé"}}], [{"a": {"b": "éa"}}, {"b": "aé"}, {"a": {"b": None}}]),
    "wildcard": ({"a": [{"wildcard": "x*é*z"}]}, [{"a": "xéz"}, {"a": ["y", "x.é.z"]}], [{"a": "xz"}, {"a": "xéza"}, {"a": 1}]),
    "equals-ignore-case": (
        {"a": [{"equals-ignore-case": "xÉ"}]},
        [{"a": "Xé"}, {"a": "xÉ"}],
        [{"a": "xe"}, {"a": "xéé"}, {"a": True}],
    ),
    "cidr": (
        {"a": {"b": [{"cidr": "10.0.0.0/24"}]}},
        [{"a": {"b": "10.0.0.255"}}, {"a": [{"b": "10.0.0.1"}]}],
        [{"a": {"b": "10.0.1.0"}}, {"a": {"b": "::1"}}, {"a": {"b": 10}}],
    ),
    "anything-but": (
        {"a": [{"anything-but": ["x", 1]}]},
        [{"a": "y"}, {"a": 2}, {"a": "1"}, {"a": False}],
        [{"a": "x"}, {"a": 1.0}, {"b": "y"}],
    ),
    "anything-but-prefix": ({"a": {"b": [{"anything-but": {"prefix": "x"}}]}}, [{"a": {"b": "yx"}}], [{"a": {"b": "xy"}}, {"a": {}}]),
    "anything-but-suffix": ({"a": [{"anything-but": {"suffix": "x"}}]}, [{"a": "xy"}], [{"a": "yx"}]),
    "anything-but-wildcard": ({"a": [{"anything-but": {"wildcard": "*x*"}}]}, [{"a": "abc"}], [{"a": "axb"}]),
    "anything-but-ignore-case": ({"a": [{"anything-but": {"equals-ignore-case": "x"}}]}, [{"a": "y"}], [{"a": "X"}]),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies(sns, topic, queue, subscribe, receive, case):
    policy, good, bad = BODIES[case]
    subscribe(topic, queue, FilterPolicy=json.dumps(policy), FilterPolicyScope="MessageBody")
    messages = [{"Message": json.dumps(body)} for body in good]
    others = [{"Message": json.dumps(body)} for body in bad] + [{"Message": "no json"}, {"Message": "[]"}]
    bodies = check(sns, receive, topic, queue, messages, others)
    assert sorted(bodies) == sorted(message["Message"] for message in messages)


def test_policy_is_changed_and_taken_away(sns, topic, queue, subscribe, bodies):
    subscription = subscribe(topic, queue, FilterPolicy='{"a":["x"]}')
    found = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert json.loads(found["FilterPolicy"]) == {"a": ["x"]} and found["FilterPolicyScope"] == "MessageAttributes"
    sns.publish(TopicArn=topic, Message="1")
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue="{}")
    sns.publish(TopicArn=topic, Message="2")
    assert bodies(queue) == ["2"]


@pytest.mark.parametrize(
    "policy",
    [
        "nonsense",
        "[]",
        '"text"',
        '{"a":"x"}',
        '{"a":[]}',
        '{"a":[{"nonsense":"x"}]}',
        '{"a":[{"prefix":1}]}',
        '{"a":[{"numeric":["~",1]}]}',
        '{"a":[{"numeric":["<"]}]}',
        '{"a":[{"numeric":["<","x"]}]}',
        '{"a":[{"exists":"x"}]}',
        '{"a":[{"cidr":"nonsense"}]}',
        '{"a":{"b":["nested in attributes"]}}',
        '{"a":[["x"]]}',
        '{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}',
    ],
)
def test_bad_policies(sns, topic, queue, arn, fails, policy):
    with fails("InvalidParameter"):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(queue), Attributes={"FilterPolicy": policy})
