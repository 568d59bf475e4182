"""The MD5 digests of SQS, as Amazon describes them. boto3 doesn't check them; other SDKs do."""

import hashlib


def of_body(body):
    return hashlib.md5(body.encode()).hexdigest()


def of_attributes(attributes):
    """Of name, type, kind of value and value of each attribute, in the order of the names; all but the kind, which is a
    byte, have their length in front, in four bytes. There is none where there are no attributes."""
    if not attributes:
        return None
    md5 = hashlib.md5()

    def add(part):
        md5.update(len(part).to_bytes(4, "big") + part)

    for name, attribute in sorted(attributes.items()):
        add(name.encode())
        add(attribute["DataType"].encode())
        is_binary = attribute["DataType"].startswith("Binary")
        md5.update(b"\x02" if is_binary else b"\x01")
        add(attribute["BinaryValue"] if is_binary else attribute["StringValue"].encode())
    return md5.hexdigest()


def check_sent(answer, message):
    """Checks what `SendMessage` or `SendMessageBatch` says of a message."""
    assert answer["MD5OfMessageBody"] == of_body(message["MessageBody"]), answer
    for kind in ["MessageAttributes", "MessageSystemAttributes"]:
        assert answer.get(f"MD5Of{kind}") == of_attributes(message.get(kind)), (kind, answer)


def check_received(message):
    """Checks what `ReceiveMessage` says of a message: its digest is of the attributes that came with it."""
    assert message["MD5OfBody"] == of_body(message["Body"]), message
    assert message.get("MD5OfMessageAttributes") == of_attributes(message.get("MessageAttributes")), message
