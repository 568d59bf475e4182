"""Amazon Web Services, as far as moto knows them: a process that others made, with an account of its own."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path

import boto3

from processes import REGION


class Moto:
    key_id, secret = "testing", "testing"

    def __init__(self):
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", *command]
        self.folder = tempfile.mkdtemp(prefix="moto-")
        self.recording = Path(self.folder, "requests")
        record = {"MOTO_ENABLE_RECORDING": "true", "MOTO_RECORDER_FILEPATH": str(self.recording)}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **record}
        )
        self.log = []
        for line in self.process.stdout:
            self.log.append(line.decode())
            if "Running on http" in self.log[-1]:
                self.url = self.log[-1].split()[-1]
                threading.Thread(target=self.log.extend, args=(self.process.stdout,), daemon=True).start()
                return
        raise RuntimeError("moto did not start: " + "".join(self.log))

    def requests(self):
        """What it was asked so far: by whom (an access key), for which action of which service, with which parameters."""
        for entry in self.entries():
            headers = {name.lower(): value for name, value in entry["headers"].items()}
            if not (signed := re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", headers.get("authorization", ""))):
                continue
            body = base64.b64decode(entry["body"]).decode()
            if target := headers.get("x-amz-target"):
                action, parameters = target.split(".")[1], json.loads(body)
            else:
                parameters = dict(urllib.parse.parse_qsl(body))
                action = parameters["Action"]
            yield signed[1], f"{signed[2]}:{action}", parameters

    def entries(self):
        """Moto's threads write each entry at once and its line's end later, so that two can be in one line."""
        text, decoder, end = self.recording.read_text(), json.JSONDecoder(), 0
        while (start := text.find("{", end)) >= 0:
            entry, end = decoder.raw_decode(text, start)
            yield entry

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
        )

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
