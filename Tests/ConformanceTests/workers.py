"""What the workers of test_frameworks.py run: a Celery application and Dramatiq actors on the broker's queues."""

import os
import urllib.parse

from celery import Celery

endpoint = os.environ["AWS_ENDPOINT_URL"]
key_id = urllib.parse.quote(os.environ["AWS_ACCESS_KEY_ID"], safe="")
secret = urllib.parse.quote(os.environ["AWS_SECRET_ACCESS_KEY"], safe="")

app = Celery("conformance", broker=f"sqs://{key_id}:{secret}@{endpoint.removeprefix('http://')}")
app.conf.update(
    broker_transport_options={
        "is_secure": False,
        "region": os.environ["AWS_DEFAULT_REGION"],
        "polling_interval": 0.05,
        "wait_time_seconds": 1,
        "visibility_timeout": 2,
        "queue_name_prefix": os.environ.get("PREFIX", ""),
    },
    broker_connection_retry_on_startup=True,
    task_default_queue="celery",
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    event_queue_expires=60,
)


def note(text):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:
        file.write(text + "\n")


@app.task(bind=True, max_retries=3)
def add(self, a, b, failures=0):
    note(f"add {a} {b} try {self.request.retries}")
    if self.request.retries < failures:
        raise self.retry(countdown=0.2)
    note(f"sum {a + b}")


@app.task
def die(marker):
    """Takes its worker along the first time, so that the message comes back when its visibility timeout ends."""
    if not os.path.exists(marker):
        open(marker, "w").close()
        note("died")
        os._exit(1)
    note("survived")


if os.environ.get("DRAMATIQ"):
    import dramatiq
    from dramatiq.middleware import AgeLimit, Retries, TimeLimit
    from dramatiq_sqs import SQSBroker

    dramatiq.set_broker(
        SQSBroker(
            namespace="dramatiq",
            endpoint_url=endpoint,
            region_name=os.environ["AWS_DEFAULT_REGION"],
            middleware=[AgeLimit(), TimeLimit(), Retries(min_backoff=100, max_backoff=200, max_retries=3)],
        )
    )

    tries = []

    @dramatiq.actor
    def multiply(a, b, failures=0):
        tries.append(1)
        note(f"multiply {a} {b}")
        if len(tries) <= failures:
            raise RuntimeError("not yet")
        note(f"product {a * b}")
