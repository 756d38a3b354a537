"""Starts and stops a local AWS from Python: the demo and all tests share this.

with Cloud(state_dir) as cloud:
    cloud.client("ecs").list_clusters()
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config

_LAUNCHER = Path(__file__).with_name("aws.py")
_PATIENCE = 30


class Cloud:
    """One local AWS, alive between `start` and `stop`."""

    def __init__(
        self,
        state: Path | str,
        port: int = 0,
        wait_scale: float = 1.0,
        minute_seconds: float | None = None,
        hosts: str = "",
        seen_at: str = "",
    ) -> None:
        self.state = Path(state).resolve()
        self.endpoint = self.registry = self.account = self.region = self.network = ""
        self._options = ["--port", str(port), "--wait-scale", str(wait_scale)]
        if minute_seconds is not None:
            self._options += ["--minute-seconds", str(minute_seconds)]
        # What stands for every host that alerts are posted to, and where functions that run elsewhere find this AWS.
        told = {"TIDEGATE_HOSTS_INSTEAD": hosts, "TIDEGATE_SEEN_AT": seen_at}
        self._environment = os.environ | {name: url for name, url in told.items() if url}
        self._process: subprocess.Popen | None = None
        self._clients: dict[tuple[str, str], object] = {}

    def start(self) -> "Cloud":
        """Starts it and returns when it answers."""
        if self._process is not None:
            raise RuntimeError("this local AWS runs already")
        self.state.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(_LAUNCHER), "--state", str(self.state), *self._options]
        quiet = {"stdin": subprocess.DEVNULL, "start_new_session": True}
        self._process = subprocess.Popen(command, env=self._environment, **quiet)
        deadline = time.monotonic() + _PATIENCE
        while not (facts := self._facts()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the local AWS did not start: see {self.state / 'aws.log'}")
            time.sleep(0.02)
        for name in ("endpoint", "registry", "account", "region", "network"):
            setattr(self, name, facts[name])
        return self

    def _facts(self) -> dict:
        """What the launcher says of itself; nothing while the file is missing, or another launcher's."""
        ready = self.state / "aws.json"
        facts = json.loads(ready.read_text()) if ready.exists() else {}
        return facts if facts.get("pid") == self.pid else {}

    def stop(self) -> None:
        """Ends it, with every function and task it runs."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> "Cloud":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the launcher."""
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What an SDK or a command line tool must have in its environment to talk to this AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service: str, agent: str = "test"):
        """A boto3 client of this AWS; its calls are recorded under the agent's name."""
        if (service, agent) not in self._clients:
            self._clients[service, agent] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(user_agent_appid=agent, retries={"total_max_attempts": 1}),
            )
        return self._clients[service, agent]

    def calls(self, **wanted) -> list[dict]:
        """The API requests so far, oldest first; `calls(service="ecs", error="")` picks by field."""
        file = self.state / "calls.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [call for call in map(json.loads, lines) if wanted.items() <= call.items()]

    def scanned(self, digest: str, status: str = "COMPLETE", **findings) -> None:
        """Plays the scanner of ECR: an image has this status, and these `findings` or `enhancedFindings`."""
        self._tell("scans.json", digest, {"status": status, **findings})

    def signed(self, digest: str, profile: str, status: str = "COMPLETE", **why: str) -> None:
        """Plays the signer of ECR: of an image the one signing status, with `failureCode` and `failureReason`."""
        self._tell("signatures.json", digest, [{"signingProfileArn": profile, "status": status, **why}])

    def managed(self, instance: str) -> None:
        """Plays the agent of Systems Manager that begins to run on an instance."""
        self._tell("instances.json", instance, {"PingStatus": "Online"})

    def _tell(self, name: str, of: str, entry: dict | list) -> None:
        """Adds what is known of something to a table that the local AWS reads."""
        file = self.state / name
        table = json.loads(file.read_text()) if file.exists() else {}
        written = file.with_suffix(".new")
        written.write_text(json.dumps({**table, of: entry}))
        # At once: it may be asked for meanwhile.
        written.replace(file)

    def image(self, repository: str, tag_or_digest: str) -> str:
        """The reference of an image as it stands in a task definition."""
        mark = "@" if tag_or_digest.startswith("sha256:") else ":"
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{repository}{mark}{tag_or_digest}"
