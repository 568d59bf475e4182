"""The whole shop as processes: the broker and the six services."""

import base64
import json
import os
import secrets
import shutil
import socket
import tempfile
import urllib.error
import urllib.request

from processes import REGION, Broker, Program, eventually

SERVICES = ["order", "payment", "inventory", "email", "loyalty", "notification"]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Shop:
    """`broker` is what speaks SNS and SQS, by default one that is stopped with the shop; `own` is what only one service is
    told, by its name."""

    def __init__(self, broker=None, own={}, **more):
        self.folder = tempfile.mkdtemp(prefix="shop-")
        self.own_broker = None if broker else Broker()
        self.broker = broker or self.own_broker
        # Each is told where the others are, before they are there.
        ports = dict(zip(SERVICES, free_ports(len(SERVICES))))
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        environment = {
            "AWS_ENDPOINT_URL": self.broker.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.broker.key_id,
            "AWS_SECRET_ACCESS_KEY": self.broker.secret,
            "PAYMENT_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "ORDER_WEBHOOK_URL": urls["order"] + "/webhooks/payments",
            "GATEWAY_DATABASE_URL": f"sqlite:{self.folder}/gateway.sqlite",
            "GATEWAY_DELAY_MILLISECONDS": "0",
            "MAILDIR": f"{self.folder}/maildir",
            # No webhook leaves the machine.
            "WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "loopback",
            **{f"{name.upper()}_URL": url for name, url in urls.items()},
            **more,
        }
        self.services = {
            name: Program(name, self.folder, ports[name], **{**environment, **own.get(name, {})}) for name in SERVICES
        }
        for name, service in self.services.items():
            eventually(f"{name} is ready", lambda: self.is_ready(service), within=60)

    @staticmethod
    def is_ready(service):
        try:
            return service.is_ready()
        except urllib.error.HTTPError:
            return False

    def __getitem__(self, name):
        return self.broker if name == "broker" else self.services[name]

    def order(self, customer, sku="MUG-ENAMEL", quantity=1):
        """Places an order, waits until it is confirmed, and returns its id."""
        body = {
            "customer": {"id": customer, "email": f"{customer}@example.com"},
            "items": [{"sku": sku, "quantity": quantity}],
            "paymentMethod": "pm_ok",
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(8)}
        request = urllib.request.Request(self["order"].url + "/orders", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            order = json.load(answer)["orderId"]
        eventually(f"the order {order} is confirmed", lambda: self._status(order) == "confirmed", within=30)
        return order

    def _status(self, order):
        with urllib.request.urlopen(f"{self['order'].url}/orders/{order}", timeout=10) as answer:
            return json.load(answer)["status"]

    def stop(self):
        for service in self.services.values():
            service.stop()
        if self.own_broker:
            self.own_broker.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
