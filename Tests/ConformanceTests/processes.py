"""The broker, and the services around it, as processes: the real programs, real files, real keys."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

REGION = "eu-west-1"
ACCOUNT = "000000000000"


class Program:
    """A program of the shop as a process of its own. It ends with the tests, whatever becomes of them."""

    # What runs the program instead of running it at once, as a command that takes one.
    launcher = []

    def __init__(self, name, folder, port=0, **environment):
        self.name = name
        self.folder = folder
        self.environment = environment
        self.port = port
        self.start()

    def start(self):
        """Starts it, on the port that it had before, and returns when it answers."""
        environment = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
            "HOME": self.folder,
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:{self.folder}/{self.name}.sqlite",
            **self.environment,
        }
        command = [*self.launcher, str(Path(os.environ["PROGRAMS"], self.name))]
        if setpriv := shutil.which("setpriv"):
            # A test run that is killed leaves no process behind.
            command = [setpriv, "--pdeathsig", "KILL", *command]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder
        )
        self.log = []
        for line in self.process.stdout:
            self.log.append(line.decode())
            if b'"listening"' in line:
                self.port = int(json.loads(line)["port"])
                threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
                return
        raise RuntimeError(f"The program {self.name} did not start: " + "".join(self.log))

    def _read(self, process):
        for line in process.stdout:
            self.log.append(line.decode(errors="replace"))

    def says(self, message, within=10):
        """Waits for a line of its log."""
        for _ in range(within * 100):
            for line in self.log:
                if f'"message":"{message}' in line:
                    return json.loads(line)
            time.sleep(0.01)
        raise AssertionError(f"The log of {self.name} doesn't say '{message}': " + "".join(self.log))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        """Lets it end by itself."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def stop(self):
        if self.process.poll() is None:
            self.kill()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self):
        with urllib.request.urlopen(self.url + "/health/ready", timeout=10) as answer:
            return answer.status == 200


class Broker(Program):
    """The broker with keys and a file of its own."""

    def __init__(self, **environment):
        self.key_id = "TEST" + secrets.token_hex(8).upper()
        self.secret = secrets.token_urlsafe(30)
        keys = {"AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret}
        super().__init__("broker", tempfile.mkdtemp(prefix="broker-"), **{**keys, **environment})

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def queue_url(self, name):
        return f"{self.url}/{ACCOUNT}/{name}"

    def client(self, service, region=REGION, key_id=None, secret=None, **config):
        settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 30, "max_pool_connections": 32, **config}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=key_id or self.key_id,
            aws_secret_access_key=secret or self.secret,
            config=Config(**settings),
        )

    def variables(self):
        """The environment of a program that speaks to it."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": self.folder,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def resident_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("There is no VmRSS here.")


def eventually(what, ask, within=10):
    """Asks until there is an answer that counts as true, and returns it."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"Within {within} s it didn't come about that {what}.")
