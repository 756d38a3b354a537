"""What the functions in SAM's containers talk to: the local AWS, with the stack and with what the samples find."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import build
import engine
import sam_cli
import stack
from cloud import Cloud
from forwarder import Forwarder, free_port
from receivers import Receivers
from sam_shop import Shop
from sam_words import Words

TREE = build.ROOT / ".local/sam"
# The region that all samples name.
_REGION = "eu-west-1"
# Rust's tests read them, too.
_ENVIRONMENTS = build.ROOT / "functions/release/tests/play/environments.json"
_WEBHOOK = {"type": "http", "url": "https://hooks.example.org/", "secrets": ["a secret of nobody"]}
_PANICS = {"name": "panic", "group": "/ecs/prod/*", "match": "*panicked at*", "environment": "prod"}
# How far a release is, told to whoever asks for it.
_PROGRESS = ["release.started", "release.rolling_back"]
_SIGNALS = "/tidegate/signals"


class World:
    """The local AWS, reached from containers by a forwarder; both end with the block."""

    def __init__(self) -> None:
        self._receivers = Receivers()
        self._forwarder = Forwarder(engine.bridge())
        port = free_port()
        self._seen_at = self._forwarder.url(port)
        self._cloud = Cloud(TREE / "aws", port=port, wait_scale=0.01, minute_seconds=1, seen_at=self._seen_at)

    def __enter__(self) -> "World":
        self._receivers.__enter__()
        try:
            self._cloud.start()
            stack.lay_out(_bootstraps(), TREE / "stack")
            # Its rules stay out of it: what a sample changes must start nothing else.
            given = build.parameters(clusters="*", repositories="none/") | {"Signals": "false"}
            self._ledger = stack.deploy(self._cloud, TREE / "stack", given)["LedgerTable"]
            self._shop = Shop(self._cloud)
            self._shop.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._forwarder.__exit__()
        self._cloud.stop()
        self._receivers.__exit__()

    @property
    def region(self) -> str:
        """Where it is."""
        return self._cloud.region

    def variables(self, **more: str) -> dict[str, dict[str, str]]:
        """What each function of the stack has in its environment, and where a container reaches what it asks."""
        reached = {
            **more,
            "AWS_ENDPOINT_URL": self._seen_at,
            "TIDEGATE_PROBE_LOOPBACK": "allowed",
            "TIDEGATE_HOSTS_INSTEAD": self._forwarder.url(urlsplit(self._receivers.url).port),
        }
        names = self._resources()
        ask = self._cloud.client("lambda").get_function_configuration
        found = {name: ask(FunctionName=names[name])["Environment"]["Variables"] for name in sam_cli.functions()}
        # What is told between releases is asked for in other words than what is told of them.
        found["SignalFunction"]["ALERTS_PARAMETER"] = _SIGNALS
        return {name: of_stack | reached for name, of_stack in found.items()}

    def _resources(self) -> dict[str, str]:
        """What the resources of the template are called here."""
        listed = self._cloud.client("cloudformation").describe_stack_resources(StackName=stack.STACK)
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed["StackResources"]}

    def furnish(self, folder: str) -> None:
        """Writes the documents that the samples of a folder find."""
        ssm = self._cloud.client("ssm")
        if there := [each["Name"] for each in ssm.describe_parameters()["Parameters"]]:
            ssm.delete_parameters(Names=there)
        for name, document in _documents(folder).items():
            ssm.put_parameter(Name=name, Value=json.dumps(document), Type="String")

    def ready(self, sample: str) -> Words:
        """Brings all to where a sample begins, and returns its words.

        The ledger is empty, since every sample is of a release of the same name.
        """
        table = self._cloud.client("dynamodb")
        for item in table.scan(TableName=self._ledger)["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            table.delete_item(TableName=self._ledger, Key=key)
        self._shop.stand(json.loads(sample))
        machine = self._resources()["ReleaseMachine"].rpartition(":")[2]
        names = {_REGION: self.region, "execution:tidegate": f"execution:{machine}"}
        return Words(sample, names | self._shop.names)

    def calls(self) -> list[str]:
        """What the functions have asked of AWS so far, without what was asked to look at them."""
        ours = (call for call in self._cloud.calls() if call["agent"].startswith("tidegate-"))
        return [f"{call['service']}:{call['operation']}" for call in ours]


def _bootstraps() -> Path:
    """The bootstraps of the package, by the names that `cargo build` gives them."""
    folder = TREE / "binaries"
    folder.mkdir(parents=True, exist_ok=True)
    for name, binary in sam_cli.functions().items():
        (folder / binary).unlink(missing_ok=True)
        (folder / binary).symlink_to(sam_cli.PACKAGE / name / "bootstrap")
    return folder


def _documents(folder: str) -> dict[str, object]:
    if folder == "alert":
        alarms = {"users": ["users-5xx"], "*": ["prod-5xx"]}
        return {
            "/tidegate/environments/prod": {"cluster": "prod", "tag": "prod", "alarms": alarms},
            "/tidegate/alerts": {
                "channels": {"webhook": _WEBHOOK},
                "routes": [
                    {"severity": "info", "kind": _PROGRESS, "to": ["webhook"], "stop": True},
                    {"severity": "info", "to": ["webhook", "sns"]},
                ],
            },
            _SIGNALS: {"logs": [_PANICS]},
        }
    environments = json.loads(_ENVIRONMENTS.read_text())
    return {f"/tidegate/environments/{name}": document for name, document in environments.items()}
