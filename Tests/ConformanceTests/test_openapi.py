"""Each service is as its openapi.yaml says. The document is valid OpenAPI 3.1, and schemathesis, which makes up requests
from it, right ones and wrong ones, finds no answer that isn't in it: no other status, header, media type or body, and no
5xx. Seeds are fixed, so that a run that fails can be repeated."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from schemathesis_hooks import NOBODY
from shop_processes import SERVICES, Shop

SOURCES = Path(__file__).parents[2] / "Services"
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
CUSTOMER = "ada"

# A stream has no end, and schemathesis waits for the end of each answer.
ENDLESS = {"notification": ["/customers/{id}/notifications/stream"]}

# What a document can't say: which products there are, and which order a webhook is about.
UNDECIDED = ["positive_data_acceptance"]

# A few requests that are right, for where it matters what is found.
RIGHT_ONES = ("--phases", "fuzzing", "--mode", "positive", "--max-examples", "3")


@pytest.fixture(scope="session")
def shop():
    shop = Shop()
    yield shop
    shop.stop()


@pytest.mark.parametrize("service", ["broker", "console", *SERVICES])
def test_document(service):
    document = yaml.safe_load((SOURCES / service.capitalize() / "openapi.yaml").read_text())
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_made_up_requests(shop, service, tmp_path):
    run(shop[service], tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "6", excluding=UNDECIDED)


@pytest.mark.parametrize("service", SERVICES)
def test_requests_about_an_order(shop, service, tmp_path):
    """With made-up names nearly every answer is 404 or an empty list; here there is something to be found."""
    order = shop.order(CUSTOMER)
    parameters = {
        "order": {"path.id": order, "query.customerId": CUSTOMER},
        "payment": {"query.orderId": order},
        "inventory": {"path.orderId": order, "path.sku": "MUG-ENAMEL"},
        "email": {"query.orderId": order},
        "loyalty": {"path.id": CUSTOMER},
        "notification": {"path.id": CUSTOMER},
    }[service]
    run(shop[service], tmp_path, *RIGHT_ONES, parameters=parameters, excluding=UNDECIDED)


def test_requests_about_a_webhook_endpoint(shop, tmp_path):
    """Whatever is done with it but the end of it, after which there would be nothing to be found."""
    notification = shop["notification"]
    endpoint = post(notification, "/webhook-endpoints", url=f"http://{NOBODY}/", ownerEmail="owner@example.com")["id"]
    delivery = post(notification, f"/webhook-endpoints/{endpoint}/ping")["id"]
    parameters = {"path.id": endpoint, "path.deliveryId": delivery}
    only = ("--include-path-regex", "^/webhook-endpoints/", "--exclude-method", "DELETE")
    run(notification, tmp_path, *RIGHT_ONES, *only, parameters=parameters, excluding=UNDECIDED)


def post(program, path, **body):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(program.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def run(program, folder, *options, parameters=None, excluding):
    if parameters:
        lines = [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in parameters.items()]
        (folder / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines]))
    for path in ENDLESS.get(program.name, []):
        options += ("--exclude-path", path)
    result = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", program.url + "/openapi.yaml", *options),
            *("--exclude-checks", ",".join(excluding), "--seed", "1", "--workers", "1", "--request-timeout", "20"),
            *("--continue-on-failure", "--no-shrink", "--warnings", "off", "--no-color"),
        ],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "SCHEMATHESIS_HOOKS": str(HOOKS)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    print(result.stdout)
    assert result.returncode == 0, result.stderr
    assert program.process.poll() is None, f"{program.name} is gone:\n" + "".join(program.log[-15:])
