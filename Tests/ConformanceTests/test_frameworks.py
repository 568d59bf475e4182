"""Task queues that people run on SQS: Celery and Dramatiq, with real workers."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from processes import eventually

FOLDER = Path(__file__).parent


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def variables(broker, notes):
    return {**os.environ, **broker.variables(), "NOTES": str(notes), "PYTHONPATH": str(FOLDER)}


@contextlib.contextmanager
def running(command, variables, log):
    with open(log, "wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", *command], env=variables, cwd=FOLDER, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()
        print(Path(log).read_text()[-3000:])


def run(code, variables):
    done = subprocess.run([sys.executable, "-c", code], env=variables, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def lines(notes):
    return notes.read_text().splitlines()


CELERY = ["celery", "-A", "workers", "worker", "--pool", "solo", "--loglevel", "info", "--without-gossip", "--without-mingle", "--without-heartbeat"]


def test_celery(variables, notes, tmp_path, sqs, broker):
    variables["PREFIX"] = "first-"
    run("import workers; workers.add.delay(1, 2); workers.add.delay(3, 4, failures=2)", variables)
    with running(CELERY, variables, tmp_path / "log"):
        eventually("both sums are there", lambda: {"sum 3", "sum 7"} <= set(lines(notes)), within=30)
        assert [line for line in lines(notes) if line.startswith("add 3 4")] == [f"add 3 4 try {i}" for i in range(3)]

        def is_empty():
            counts = sqs.get_queue_attributes(QueueUrl=broker.queue_url("first-celery"), AttributeNames=["All"])
            return all(v == "0" for k, v in counts["Attributes"].items() if k.startswith("ApproximateNumber"))

        eventually("all messages are deleted", is_empty)


def test_celery_worker_that_dies(variables, notes, tmp_path):
    variables["PREFIX"] = "second-"
    run(f"import workers; workers.die.delay({str(tmp_path / 'marker')!r})", variables)
    with running(CELERY, variables, tmp_path / "log-1") as worker:
        worker.wait(timeout=30)
    with running(CELERY, variables, tmp_path / "log-2"):
        eventually("the message came back", lambda: lines(notes) == ["died", "survived"], within=30)


def test_dramatiq(variables, notes, tmp_path):
    variables["DRAMATIQ"] = "1"
    run("import workers; workers.multiply.send(6, 7, failures=2)", variables)
    with running(["dramatiq", "workers", "--processes", "1", "--threads", "1"], variables, tmp_path / "log"):
        eventually("the product is there", lambda: "product 42" in lines(notes), within=30)
    assert lines(notes) == ["multiply 6 7"] * 3 + ["product 42"]
