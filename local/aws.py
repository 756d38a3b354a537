"""The local AWS: ministack with Tidegate's overlay, in one process, on 127.0.0.1 only.

    python local/aws.py --state DIR [--port 0] [--wait-scale 1.0] [--stay]

Writes DIR/aws.json when it is ready. Ends with its parent process (unless told to stay), with SIGTERM and
with SIGINT, and takes every function, task and temporary file with it.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

ACCOUNT = "123456789012"
REGION = "us-east-1"
_PARENT = "TIDEGATE_LOCAL_AWS_PARENT"
# Where AWS does not say which error it gives, the one to play.
_ENDED_HOOK = "TIDEGATE_ENDED_HOOK"
_HOSTS = "TIDEGATE_HOSTS_INSTEAD"
_SEEN_AT = "TIDEGATE_SEEN_AT"


def main() -> None:
    """Starts the local AWS and stays until it is to end."""
    if sys.platform != "linux":
        sys.exit("The local AWS needs Linux: it gives every task an address of its own in 127.0.0.0/8.")
    options = _options()
    if _PARENT not in os.environ:
        # Functions inherit all of this process's environment: they must not find a developer's in it.
        os.execve(sys.executable, [sys.executable, *sys.argv], _environment(options))
    parent = int(os.environ.pop(_PARENT))
    options.state.mkdir(parents=True, exist_ok=True)
    _claim(options.state)
    shutil.rmtree(_temporary(options.state), ignore_errors=True)
    _temporary(options.state).mkdir()
    listening = _listen(options.port)
    app = _application(options.state)
    if sys.stdout.isatty():
        print(f"The local AWS: {os.environ['AWS_ENDPOINT_URL']}, its files: {options.state}. Ctrl-C ends it.")
    _log_to(options.state / "aws.log")
    asyncio.run(_serve(app, listening, options.state, None if options.stay else parent))
    _leave(options.state)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="aws.py", description="Runs the local AWS.")
    parser.add_argument("--state", type=Path, required=True, help="where it keeps its files")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--wait-scale", type=float, default=1.0, help="0.01 makes a Wait of 100 s last 1 s")
    minute = float(os.environ.get("TIDEGATE_MINUTE_SECONDS", "60"))
    help_minute = "how long a minute of an ECS deployment lasts here (TIDEGATE_MINUTE_SECONDS)"
    parser.add_argument("--minute-seconds", type=float, default=minute, help=help_minute)
    parser.add_argument("--stay", action="store_true", help="do not end with the parent process")
    options = parser.parse_args()
    options.state = options.state.resolve()
    return options


def _environment(options: argparse.Namespace) -> dict[str, str]:
    return {
        _PARENT: str(os.getppid()),
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(_temporary(options.state)),
        "TMPDIR": str(_temporary(options.state)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "BIND_HOST": "127.0.0.1",
        # Otherwise port 8883 opens, on every address of the machine.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "SFN_WAIT_SCALE": str(options.wait_scale),
        "TIDEGATE_MINUTE_SECONDS": str(options.minute_seconds),
        "DOCKER_HOST": "unix:///nonexistent",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Tasks have loopback addresses here, which the health test must never probe on AWS.
        "TIDEGATE_PROBE_LOOPBACK": "allowed",
        **{name: os.environ[name] for name in (_ENDED_HOOK, _HOSTS, _SEEN_AT) if name in os.environ},
    }


def _temporary(state: Path) -> Path:
    return state / "tmp"


def _claim(state: Path) -> None:
    """Keeps a second launcher out of the directory for as long as this process lives."""
    lock = os.open(state / "aws.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"A local AWS already runs in {state}: see aws.json there.")
    for of_an_earlier_run in ("aws.json", "calls.jsonl", "scans.json", "signatures.json", "instances.json"):
        (state / of_an_earlier_run).unlink(missing_ok=True)


def _listen(port: int) -> socket.socket:
    """Takes the port before anything else: the environment of every function names it."""
    listening = socket.create_server(("127.0.0.1", port), backlog=512)
    chosen = listening.getsockname()[1]
    os.environ |= {"GATEWAY_PORT": str(chosen), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{chosen}"}
    return listening


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())


def _application(state: Path):
    """ministack with the overlay; neither may be imported before the environment is complete."""
    import overlay
    from overlay import calls, ecr_scans, ecr_signatures, ecs_instances, processes

    overlay.install()
    ecr_scans.table.read_from(state / "scans.json")
    ecr_signatures.table.read_from(state / "signatures.json")
    ecs_instances.read_from(state / "instances.json")
    processes.adopt_orphans()
    return calls.recorded(state / "calls.jsonl")


async def _serve(app, listening: socket.socket, state: Path, parent: int | None) -> None:
    import hypercorn.asyncio
    import hypercorn.config

    config = hypercorn.config.Config()
    config.bind = [f"fd://{listening.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5

    async def until_the_end() -> None:
        _announce(state)
        await _end(parent)

    await hypercorn.asyncio.serve(app, config, shutdown_trigger=until_the_end)


def _announce(state: Path) -> None:
    from overlay.network import network

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    document = {
        "endpoint": endpoint,
        "registry": endpoint.removeprefix("http://"),
        "account": ACCOUNT,
        "region": REGION,
        "network": network.prefix,
        "pid": os.getpid(),
        "calls": str(state / "calls.jsonl"),
        "log": str(state / "aws.log"),
    }
    draft = state / "aws.json.draft"
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.rename(state / "aws.json")


async def _end(parent: int | None) -> None:
    """Returns when a signal asks for the end or the parent process is gone."""
    end = asyncio.Event()
    for request in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(request, end.set)
    while not end.is_set() and parent in (None, os.getppid()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), 0.25)


def _leave(state: Path) -> None:
    from overlay import processes

    processes.end_all()
    (state / "aws.json").unlink(missing_ok=True)
    shutil.rmtree(_temporary(state), ignore_errors=True)
    # Executions in a long Wait are threads of ministack that an ordinary exit would wait for.
    os._exit(0)


if __name__ == "__main__":
    main()
