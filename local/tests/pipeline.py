"""The real stack on a local AWS, and the ways in which tests start releases and look at what they did."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from boto3.dynamodb.types import TypeDeserializer

import build
import stack
import watch
from fleet import Fleet
from inbox import Inbox
from proof import Proof
from service import SoleService, eventually

# Kept from session to session: a function that did not change need not be zipped again.
TREE = build.ROOT / ".local/tests/build"
_READS = ("BatchGet", "Describe", "Get", "List", "Query", "Scan")


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps other test processes out of the tree meanwhile: all of one checkout share it."""
    TREE.parent.mkdir(parents=True, exist_ok=True)
    with TREE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Pipeline:
    """A deployed stack; whoever uses it brings an environment, a service and a repository of their own."""

    def __init__(self, cloud, receivers=None) -> None:
        self.cloud, self.receivers = cloud, receivers
        with _alone():
            outputs = build.deploy(cloud, TREE, clusters="*", repositories="release/")
        self.machine, self.ledger = outputs["StateMachineArn"], outputs["LedgerTable"]
        self.inbox = Inbox(cloud, outputs["TopicArn"])
        self.tokens: dict[str, str] = {}
        """The release of each task token that was seen while its release waited for an answer."""

    def undelivered(self) -> list[dict]:
        """What is in the queue of alerts that a channel will never take; it is taken out."""
        described = self.cloud.client("cloudformation").describe_stacks(StackName=stack.STACK)["Stacks"][0]
        [queue] = [each["OutputValue"] for each in described["Outputs"] if each["OutputKey"] == "UndeliveredQueueUrl"]
        sqs = self.cloud.client("sqs")
        kept = []
        # One answer has ten messages at most, and tests before may have left some.
        while got := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in got:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            kept += [json.loads(message["Body"]) for message in got]
        return kept

    def cli(self, script: str, *arguments: str) -> subprocess.CompletedProcess:
        """Runs one of the commands of people against this stack."""
        keys = {"AWS_ENDPOINT_URL": self.cloud.endpoint, "AWS_ACCESS_KEY_ID": "test"}
        keys |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": self.cloud.region}
        command = [sys.executable, str(build.ROOT / "local" / script), *arguments]
        return subprocess.run(command, env=os.environ | keys, capture_output=True, text=True, check=False)

    def service(self, name: str, **policy) -> SoleService:
        """An environment with a service of two tasks, which runs version v1 of the image `baseline`."""
        policy = {"deployOn": [f"{name}-*"], "bakeSeconds": 0, "healthTimeoutSeconds": 60, **policy}
        service = SoleService(self.cloud, name, f"release/{name}", name, **policy)
        service.run(service.push("baseline", "v1")["digest"])
        return service

    def fleet(self, environment: str, services: list[str], images: str = "", **policy) -> Fleet:
        """An environment of many services, which run version v1; whoever makes it ends it.

        Their repositories bear the environment's name, or that of the fleet whose images they share.
        """
        policy = {"bakeSeconds": 0, "healthTimeoutSeconds": 60, **policy}
        fleet = Fleet(self.cloud, environment, services, f"release/{images or environment}", **policy)
        fleet.run(fleet.push("v1"))
        return fleet

    def push(self, service: SoleService, tag: str, version: str, **image) -> Proof:
        """Pushes an image, follows the release that this starts, and looks at what is true afterwards."""
        digest = service.push(tag, version, **image)["digest"]
        execution = watch.started_by_push(self.cloud, self.machine, digest, tag)
        return self._proof(service, digest, version, watch.follow(self.cloud, execution))

    def request(self, service: SoleService, image: str, version: str, **more) -> Proof:
        """Asks for an image of the service's repository as an engineer does."""
        wanted = {"environment": service.environment, "repository": service.repository, "image": image, **more}
        return self._proof(service, image, version, self.run(wanted))

    def run(self, document: dict) -> watch.Run:
        """Starts an execution with any input and follows it to its end."""
        return self.ended(self.start(document))

    def start(self, document: dict) -> str:
        """Starts an execution with any input."""
        sfn = self.cloud.client("stepfunctions")
        return sfn.start_execution(stateMachineArn=self.machine, input=json.dumps(document))["executionArn"]

    def ended(self, execution: str, seconds: float = 120) -> watch.Run:
        """An execution, once it has ended; a long history is not read again and again meanwhile."""
        describe = self.cloud.client("stepfunctions").describe_execution
        running = lambda: describe(executionArn=execution)["status"] == "RUNNING"  # noqa: E731
        eventually(lambda: not running(), f"{execution} ended", seconds)
        return watch.follow(self.cloud, execution)

    def reached(self, execution: str, state: str) -> None:
        """Returns once an execution has entered a state."""
        eventually(lambda: self.times(execution, state), f"{execution} reached {state}")

    def times(self, execution: str, state: str) -> int:
        """How often an execution has entered a state so far."""
        history = self.cloud.client("stepfunctions").get_paginator("get_execution_history")
        events = [event for page in history.paginate(executionArn=execution) for event in page["events"]]
        return [each.get("stateEnteredEventDetails", {}).get("name") for each in events].count(state)

    def last_output(self, execution: str, state: str) -> str:
        """What a state of an execution has put out last, as text; empty while it has not ended once."""
        history = self.cloud.client("stepfunctions").get_paginator("get_execution_history")
        events = [event for page in history.paginate(executionArn=execution) for event in page["events"]]
        left = [event["stateExitedEventDetails"] for event in events if "stateExitedEventDetails" in event]
        return next((each["output"] for each in reversed(left) if each["name"] == state), "")

    def fates(self, run: watch.Run) -> dict[str, int]:
        """How many moves had each fate, which the execution and the ledger have to say alike."""
        by = "CloseRelease" if "CloseRelease" in run.states else "Judge"
        closed = json.loads(self.last_output(run.execution, by))
        assert self.row(run, "head")["fates"] == closed["fates"]
        return closed["fates"]

    def item(self, execution: str, state: str, service: str) -> str:
        """The execution of the item that moves a service, once it has entered a state."""
        release, sfn = watch.release_of(execution), self.cloud.client("stepfunctions")

        def found() -> str:
            for run in sfn.list_map_runs(executionArn=execution)["mapRuns"]:
                for item in sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]:
                    asked = json.loads(sfn.describe_execution(executionArn=item["executionArn"])["input"])
                    row = self.known(f"release#{release}", f"move#{asked['wave']}#{asked['move']}")
                    if row and row["service"] == service:
                        self.reached(item["executionArn"], state)
                        return item["executionArn"]
            return ""

        return eventually(found, f"{service} moves")

    def asked(self, environment: str, execution: str) -> str:
        """The alert that asks for consent, once the release waits for the answer."""
        release = watch.release_of(execution)
        text, posted = self.inbox.about(release, "WaitingForApproval")
        assert text and posted, "nobody was asked"
        waiting = lambda: self.known(f"env#{environment}", f"waiting#{release}")  # noqa: E731
        self.tokens[eventually(waiting, f"{release} waits")["token"]] = release
        return text

    def of_our_retag(self, service: SoleService, digest: str) -> watch.Run:
        """The execution that our own write of the environment's tag has started."""
        return watch.follow(
            self.cloud, watch.started_by_push(self.cloud, self.machine, digest, service.environment)
        )

    def event(self, run: watch.Run) -> dict:
        """The input of an execution."""
        described = self.cloud.client("stepfunctions").describe_execution(executionArn=run.execution)
        return json.loads(described["input"])

    def pages(self) -> int:
        """How many calls it takes to read all environments, ten a page: each service has added one."""
        calls, more = 0, {}
        while calls == 0 or more:
            page = self.cloud.client("ssm").get_parameters_by_path(Path="/tidegate/environments", **more)
            calls, more = calls + 1, {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        return calls

    def row(self, run: watch.Run, sort: str) -> dict:
        """A row of the release in the ledger."""
        return self.known(f"release#{run.name}", sort)

    def known(self, partition: str, sort: str) -> dict:
        """A row of the ledger, by its two keys; empty if it is not there."""
        key = {"pk": {"S": partition}, "sk": {"S": sort}}
        row = self.cloud.client("dynamodb").get_item(TableName=self.ledger, Key=key).get("Item", {})
        return {name: TypeDeserializer().deserialize(value) for name, value in row.items()}

    @contextmanager
    def calls(self) -> Iterator[list[dict]]:
        """The calls that our functions make meanwhile; nothing else must run."""
        eventually(self._is_quiet, "all executions ended")
        before, calls = len(self.cloud.calls()), []
        yield calls
        eventually(self._is_quiet, "all executions ended")
        ours = [call for call in self.cloud.calls()[before:] if call["agent"].startswith("tidegate-")]
        # What is heard of documents and of tasks that tests leave behind is of no release.
        calls += [call for call in ours if call["agent"] != "tidegate-signal"]

    def _is_quiet(self) -> bool:
        # An event that was published a moment ago may not have started anything yet.
        time.sleep(0.2)
        running = {"stateMachineArn": self.machine, "statusFilter": "RUNNING"}
        return not self.cloud.client("stepfunctions").list_executions(**running)["executions"]

    def _proof(self, service: SoleService, digest: str, version: str, run: watch.Run) -> Proof:
        alerts = self.inbox.about(run.name) if "Alert" in run.states else (None, None)
        running, tagged, answers = service.digests(), service.tagged(service.environment), service.answers()
        return Proof(0, digest, version, run, running, tagged, answers, *alerts)


def written(calls: list[dict]) -> list[str]:
    """Those of the calls that changed something."""
    return [
        f"{call['service']}:{call['operation']}"
        for call in calls
        if not call["operation"].startswith(_READS) and call["status"] < 300
    ]
