"""Fills a queue and has it emptied by 1, 2 and 4 processes, each of which takes a message, works on it for 20 ms, and deletes
it, one after another. Prints a row for each: messages a second, and how many times those of one. Needs Python alone."""

import http.client
import json
import multiprocessing
import sys
import time

WORK = 0.02
HOST, PORT, MESSAGES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Queue:
    def __init__(self, name):
        self.connection = http.client.HTTPConnection(HOST, PORT, timeout=30)
        self.url = self.call("CreateQueue", QueueName=name)["QueueUrl"]

    def call(self, operation, **parameters):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
        self.connection.request("POST", "/", json.dumps(parameters), headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"{operation}: {body.decode()}")
        return json.loads(body or b"{}")

    def fill(self):
        for start in range(0, MESSAGES, 10):
            entries = [
                {"Id": str(number), "MessageBody": f"message {number}"}
                for number in range(start, min(start + 10, MESSAGES))
            ]
            if self.call("SendMessageBatch", QueueUrl=self.url, Entries=entries).get("Failed"):
                sys.exit("Not all messages were taken.")

    def messages(self):
        answer = self.call("ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=1, WaitTimeSeconds=0)
        return answer.get("Messages", [])


def consume(name, start, handled):
    queue, count = Queue(name), 0
    start.wait()
    while messages := queue.messages():
        time.sleep(WORK)
        queue.call("DeleteMessage", QueueUrl=queue.url, ReceiptHandle=messages[0]["ReceiptHandle"])
        count += 1
    handled.put(count)


def rate(consumers):
    name = f"consumers-{consumers}"
    Queue(name).fill()
    start, handled = multiprocessing.Barrier(consumers + 1), multiprocessing.Queue()
    processes = [multiprocessing.Process(target=consume, args=(name, start, handled)) for _ in range(consumers)]
    for process in processes:
        process.start()
    start.wait()
    began = time.monotonic()
    counts = [handled.get() for _ in processes]
    took = time.monotonic() - began
    for process in processes:
        process.join()
    if sum(counts) != MESSAGES:
        sys.exit(f"{MESSAGES} messages were sent and {sum(counts)} handled.")
    return MESSAGES / took


def wait_for_broker():
    deadline = time.monotonic() + 30
    while True:
        try:
            return http.client.HTTPConnection(HOST, PORT, timeout=5).request("GET", "/health/ready")
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                sys.exit("The broker doesn't start.")
            time.sleep(0.05)


if __name__ == "__main__":
    wait_for_broker()
    print("| consumers | messages/s | times one |\n| --- | --- | --- |")
    alone = None
    for consumers in (1, 2, 4):
        speed = rate(consumers)
        alone = alone or speed
        print(f"| {consumers} | {speed:.0f} | {speed / alone:.2f} |", flush=True)
