"""Posts OTLP/HTTP in batches of 512 spans over four connections, in JSON, the form that costs the receiver more (the shop's
services send Protocol Buffers). Prints a row of a table: what was sent, spans taken in a second, the receiver's resident
memory. Needs Python alone."""

import concurrent.futures
import gzip
import http.client
import json
import os
import sys
import time
import urllib.parse

BATCH = 512
SENDERS = 4
SPANS_OF_AN_ORDER = 64


def attribute(key, value):
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def span(trace, parent, number):
    start = 1_800_000_000_000_000_000 + number * 1_000_000
    return {
        "traceId": trace, "spanId": os.urandom(8).hex(), "parentSpanId": parent, "name": "process inventory", "kind": 5,
        "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 700_000), "status": {},
        "attributes": [
            attribute("shop.correlation_id", trace), attribute("messaging.system", "aws_sqs"),
            attribute("messaging.operation.type", "process"), attribute("messaging.destination.name", "inventory"),
            attribute("messaging.message.id", os.urandom(16).hex()), attribute("shop.delivery.attempt", 1),
            attribute("shop.delivery.waited_ms", number % 50),
        ],
    }


def batch():
    spans = []
    while len(spans) < BATCH:
        trace, parent = os.urandom(16).hex(), os.urandom(8).hex()
        spans += [span(trace, parent, number) for number in range(SPANS_OF_AN_ORDER)]
    resource = {"attributes": [attribute("service.name", "inventory")]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans[:BATCH]}]}]}).encode()


def send(address, headers, bodies):
    connection = http.client.HTTPConnection(address, timeout=60)
    for body in bodies:
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"The console answered {answer.status}: {text.decode()}")
    connection.close()


def wait_until_ready(address):
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection(address, timeout=2)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"Nothing is ready on {address}.")


def resident_megabytes(process):
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        kilobytes = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    return kilobytes * 1024 / 1_000_000


def main(url, count, coding, process):
    address = urllib.parse.urlsplit(url).netloc
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    bodies = [batch() for _ in range(max(1, int(count) // BATCH))]
    if coding == "gzip":
        bodies = [gzip.compress(body) for body in bodies]
    wait_until_ready(address)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        for sent in [pool.submit(send, address, headers, bodies[first::SENDERS]) for first in range(SENDERS)]:
            sent.result()
    rate = len(bodies) * BATCH / (time.monotonic() - start)
    size = sum(map(len, bodies)) / len(bodies) / BATCH
    print(f"| {coding}, {size:.0f} bytes a span | {rate:.0f} | {resident_megabytes(process):.1f} |")


main(*sys.argv[1:])
