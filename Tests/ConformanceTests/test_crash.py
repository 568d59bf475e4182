"""`kill -9` in the middle of everything, fifty times: what was acknowledged is there, what was deleted is gone.

Senders, publishers and consumers run as if nothing happened; whatever they are told is written down. In the end the
books must balance.
"""

import collections
import itertools
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from processes import Broker
from receiver import Receiver

KILLS = 50
GROUPS = 4


class Crew:
    """Those who work with the broker while it is killed again and again."""

    def __init__(self, broker, seed):
        self.broker, self.seed = broker, seed
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.progress = threading.Condition()
        self.steps = 0
        self.sent = collections.defaultdict(list)
        self.received = collections.defaultdict(list)
        self.deleted = set()
        self.after_deletion = []
        self.unexpected = []

    def client(self, service):
        return self.broker.client(service, read_timeout=5, connect_timeout=1)

    def attempt(self, call, **arguments):
        """Calls it, until it works or the broker is away; `None` then."""
        try:
            return call(**arguments)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status < 500:
                self.unexpected.append(error)
        except BotoCoreError:
            # Dead, or between two lives. Nobody knows what became of the request.
            self.over.wait(0.01)
        return None

    def step(self):
        with self.progress:
            self.steps += 1
            self.progress.notify_all()

    def send(self, worker, url):
        sqs = self.client("sqs")
        number = 0
        while not self.over.is_set():
            bodies = [f"{worker} {number + i}" for i in range(5)]
            number += 5
            entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies)]
            if answer := self.attempt(sqs.send_message_batch, QueueUrl=url, Entries=entries):
                with self.lock:
                    self.sent[url] += [bodies[int(entry["Id"])] for entry in answer["Successful"]]
                self.step()

    def publish(self, worker, topic, urls):
        sns = self.client("sns")
        number = 0
        while not self.over.is_set():
            number += 1
            body = f"{worker} {number}"
            if self.attempt(sns.publish, TopicArn=topic, Message=body):
                with self.lock:
                    for url in urls:
                        self.sent[url].append(body)
                self.step()

    def send_in_order(self, group, url):
        """The next one only after this one was acknowledged; its retries have the same deduplication id."""
        sqs = self.client("sqs")
        number = 0
        while not self.over.is_set():
            number += 1
            body = f"{group} {number}"
            while not self.over.is_set():
                answer = self.attempt(
                    sqs.send_message,
                    QueueUrl=url,
                    MessageBody=body,
                    MessageGroupId=group,
                    MessageDeduplicationId=body.replace(" ", "-"),
                )
                if answer:
                    with self.lock:
                        self.sent[url].append(body)
                    self.step()
                    break

    def consume(self, url, until_empty=False):
        sqs = self.client("sqs")
        while until_empty or not self.over.is_set():
            answer = self.attempt(
                sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=30
            )
            if answer is None:
                continue
            messages = answer.get("Messages", [])
            if not messages and until_empty:
                return
            for message in messages:
                body = message["Body"]
                with self.lock:
                    if (url, message["MessageId"]) in self.deleted:
                        self.after_deletion.append(body)
                    self.received[url].append(body)
                deleted = self.attempt(sqs.delete_message, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if deleted is None:
                    # It may come again: what follows it has to wait, as it does for a consumer that is careful.
                    break
                with self.lock:
                    self.deleted.add((url, message["MessageId"]))
                self.step()

    def kill_after(self, random):
        """Waits for some more to have happened, and a moment, so that it is never at the same point."""
        target = self.steps + random.randrange(1, 25)
        with self.progress:
            assert self.progress.wait_for(lambda: self.steps >= target, timeout=20), "nothing goes on any more"
        time.sleep(random.random() * 0.005)
        self.broker.kill()
        self.broker.start()

    def work_while_it_is_killed(self, work):
        threads = [threading.Thread(target=target, args=arguments) for target, arguments in work]
        for thread in threads:
            thread.start()
        source = random.Random(self.seed)
        try:
            for _ in range(KILLS // 2):
                self.kill_after(source)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_kill_9(fifo):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    broker = Broker()
    try:
        crew = Crew(broker, seed)
        sqs, sns = broker.client("sqs"), broker.client("sns")
        if fifo:
            urls = [sqs.create_queue(QueueName="crash.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]]
            work = [(crew.send_in_order, (f"group-{i}", urls[0])) for i in range(GROUPS)]
        else:
            urls = [sqs.create_queue(QueueName=f"crash-{i}")["QueueUrl"] for i in range(2)]
            topic = sns.create_topic(Name="crash")["TopicArn"]
            for url in urls:
                arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
                sns.subscribe(
                    TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
                )
            work = [(crew.send, ("sender", urls[0])), (crew.publish, ("publisher", topic, urls))]
        work += [(crew.consume, (url,)) for url in urls]
        crew.work_while_it_is_killed(work)
        # After a crash what was in flight is there again at once.
        broker.kill()
        broker.start()
        for url in urls:
            crew.consume(url, until_empty=True)
        check(crew, urls, fifo)
    finally:
        broker.stop()


def test_kill_9_between_topic_and_web_server():
    """A delivery over HTTP that the broker died in is made again; one that it never began is made then."""
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    broker, receiver = Broker(), Receiver()
    try:
        crew = Crew(broker, seed)
        sns = broker.client("sns")
        topic = sns.create_topic(Name="crash")["TopicArn"]
        sns.subscribe(
            TopicArn=topic, Protocol="http", Endpoint=receiver.url, Attributes={"RawMessageDelivery": "true"}
        )
        sns.confirm_subscription(TopicArn=topic, Token=receiver.envelope()["Token"])
        crew.work_while_it_is_killed([(crew.publish, (f"publisher-{i}", topic, ["web"])) for i in range(2)])
        received = collections.Counter()
        while set(crew.sent["web"]) - set(received):
            received[receiver.next(within=60)[2]] += 1
        print(f"{len(crew.sent['web'])} acknowledged, {received.total()} received")
        assert crew.unexpected == []
        assert len(crew.sent["web"]) > KILLS
    finally:
        receiver.stop()
        broker.stop()


def check(crew, urls, fifo):
    assert crew.unexpected == []
    assert crew.after_deletion == []
    for url in urls:
        sent, received = crew.sent[url], crew.received[url]
        print(f"{len(sent)} acknowledged, {len(received)} received")
        assert len(sent) > KILLS
        assert set(sent) - set(received) == set(), "acknowledged, and never delivered"
        if not fifo:
            continue
        for group in {body.split()[0] for body in sent}:
            numbers = [int(body.split()[1]) for body in received if body.startswith(group + " ")]
            # A message may come again until it is deleted, but none before it has come the first time.
            firsts = list(dict.fromkeys(numbers))
            assert firsts == sorted(firsts), group
            for earlier, later in zip(numbers, numbers[1:]):
                assert later >= earlier, f"{group}: {later} came after {earlier}"


def test_the_file_is_checked():
    """Who was cut off looks through the file, and says what the disk has not kept."""
    broker = Broker()
    sqs = broker.client("sqs")
    queue = sqs.create_queue(QueueName="large")["QueueUrl"]
    for _ in range(20):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 100_000)
    broker.kill()
    broker.start()
    broker.says("the database is whole after the broker was cut off")
    # A clean end leaves no log whose pages would be taken for those that are damaged, and nothing to check.
    broker.terminate()
    damage(broker.folder)
    broker.start()
    sqs.send_message(QueueUrl=queue, MessageBody="in the log")
    broker.kill()
    broker.start()
    assert "invalid page number" in broker.says("the database is damaged")["damage"]
    broker.stop()


def damage(folder):
    """Has a page that a long body goes on in point nowhere."""
    with open(f"{folder}/broker.sqlite", "r+b") as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        for number in itertools.count(1):
            file.seek(number * size)
            page = file.read(size)
            assert page, "no page is full of a body"
            if page[4:] == b"x" * (size - 4):
                file.seek(number * size)
                file.write(b"\xff" * 4)
                return
