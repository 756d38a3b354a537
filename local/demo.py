"""`make demo`: pushes a good image and two bad ones, and shows their releases, on a local AWS of its own.

    python local/demo.py [--keep]

Exit code 0 means that the good one is Deployed and the bad ones are RolledBack, that after each of them every
task reports the good digest and every target answers with the good version, and that all alerts came by SNS
and by webhook.
"""

import argparse
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import build
import logs
import tryout
import watch
from cloud import Cloud
from inbox import Inbox
from proof import Proof, write_report
from scene import Scene
from terminal import Clock, Live, Terminal, durations

STATE = build.ROOT / ".local/demo"
REPORT = STATE / "report.json"
PATIENCE = 180
POLICY = {"deployOn": ["main-*"], "bakeSeconds": 1, "healthTimeoutSeconds": 60}


class TimeIsUp(BaseException):
    """It took too long; no Exception, since boto3 would take that for a fault of the connection."""


@dataclass(frozen=True)
class Act:
    """A push, and what it deserves."""

    story: str
    tag: str
    version: str
    behaviour: str
    outcome: str


ACTS = [
    Act("a good image", "main-2", "v2", "good", "Deployed"),
    Act("one that runs, and answers wrongly", "main-3", "v3", "wrong-content", "RolledBack"),
    Act("one that crashes", "main-4", "v4", "crashes", "RolledBack"),
]


def main() -> int:
    """Runs the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo.py", description="Shows a release on a local AWS.")
    parser.add_argument("--keep", action="store_true", help="leave it running, and print requests to try")
    keep, terminal = parser.parse_args().keep, Terminal()
    # `kill` ends it as Ctrl-C does, which a shell switches off for what it runs in the background.
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.default_int_handler)
    terminal.heading("The scene")
    clock = Clock(terminal)
    try:
        build.build()
        clock.done("functions, tools and demo service are built")
        with Cloud(STATE) as cloud:
            clock.done(f"a local AWS runs at {cloud.endpoint}, with its files in .local/demo")
            return Demo(terminal, cloud).play(clock, keep)
    except KeyboardInterrupt:
        terminal.line("\nStopped, and with it everything that it had started.")
        return 130
    except (build.BuildError, RuntimeError) as problem:
        terminal.line(f"\n{terminal.paint('FAILED', 'bad')}  {problem}")
        return 1


class Demo:
    """One pass over a fresh local AWS."""

    def __init__(self, terminal: Terminal, cloud: Cloud) -> None:
        self.terminal, self.cloud = terminal, cloud
        self.machine = self.execution = ""
        self.inbox: Inbox | None = None
        self.scene: Scene | None = None

    def play(self, clock: Clock, keep: bool) -> int:
        """Sets the scene, releases, and tells; returns the exit code."""
        REPORT.unlink(missing_ok=True)
        try:
            with _limit(PATIENCE):
                self.set_scene(clock)
                faults = self.acts()
        except (Exception, TimeIsUp) as problem:  # whatever it was: a sentence and the logs, and no traceback
            faults = [f"{type(problem).__name__}: {problem}"]
        if faults:
            self.explain(faults)
        if keep and self.scene:
            self.stay()
        elif not faults:
            self.terminal.heading("Try next")
            self.terminal.line(tryout.NEXT)
        return 1 if faults else 0

    def set_scene(self, clock: Clock) -> None:
        """Deploys the stack, and a service of two tasks that runs a first image."""
        outputs = build.deploy(self.cloud, STATE / "build", clusters="dev", repositories="shop/")
        self.machine = outputs["StateMachineArn"]
        clock.done("template.yaml is deployed: six functions and a state machine")
        self.inbox = Inbox(self.cloud, outputs["TopicArn"])
        scene = Scene(self.cloud, "dev", "shop/users", "users", **POLICY)
        digest = scene.push("baseline", "v1")["digest"]
        clock.done(f"shop/users:baseline is pushed: {digest}")
        scene.run(digest)
        clock.done("service users of cluster dev runs it, COMPLETED: two tasks behind a target group")
        self.scene = scene

    def acts(self) -> list[str]:
        """Plays one act after the other, up to the first that ends otherwise than it has to; returns why."""
        proofs: list[Proof] = []
        for act in ACTS:
            # What a bad image leaves behind is what the good one before it has left.
            good = None if act.outcome == "Deployed" else proofs[0]
            proofs.append(self.release(act, good))
            self.tell(proofs[-1])
            write_report(REPORT, proofs)
            if faults := proofs[-1].faults():
                return faults
        return []

    def release(self, act: Act, good: Proof | None) -> Proof:
        """Pushes an image and follows what that starts to its end."""
        scene, digest = self.scene, self.scene.push(act.tag, act.version, act.behaviour)["digest"]
        pushed = time.time()
        self.terminal.heading(f"shop/users:{act.tag}, {act.story}, is pushed: {digest}")
        self.execution = watch.started_by_push(self.cloud, self.machine, digest, act.tag)
        run = watch.follow(self.cloud, self.execution, Live(self.terminal, pushed))
        by_topic, by_webhook = self.inbox.about(run.name)
        running, tagged, answers = scene.digests(), scene.tagged(scene.environment), scene.answers()
        digest, version = (good.digest, good.version) if good else (digest, act.version)
        seen = (running, tagged, answers, by_topic, by_webhook)
        return Proof(pushed, digest, version, run, *seen, expected=act.outcome)

    def tell(self, proof: Proof) -> None:
        """Shows the timeline."""
        said, run = self.terminal, proof.run
        said.heading("What came of it")
        said.fact("outcome", run.outcome, "good" if run.outcome == proof.expected else "bad")
        said.fact("", f"{run.ended.timestamp() - proof.pushed:.1f} s after the push{self.updated(proof)}")
        said.fact("digest", "\n".join(f"{each}, says DescribeTasks" for each in proof.running))
        said.fact("answers", "\n".join(f"{where}  {what}" for where, what in proof.answers.items()))
        said.fact("steps", durations(run.steps))
        said.fact("alert", proof.by_topic or "none by SNS")
        said.fact("", "and the same by webhook, signed" if proof.by_webhook else "none by webhook")

    def updated(self, proof: Proof) -> str:
        """When ECS was asked to deploy, if it was."""
        calls = self.cloud.calls(agent="tidegate-deploy", operation="UpdateService")
        moments = [datetime.fromisoformat(call["at"]).timestamp() - proof.pushed for call in calls]
        return f", UpdateService after {moments[-1]:.1f} s" if moments and moments[-1] > 0 else ""

    def explain(self, faults: list[str]) -> None:
        """Says what was not as it has to be, and shows what may tell why."""
        said = self.terminal
        said.heading("What was not as it has to be")
        for fault in faults:
            said.line(f"  {said.paint('FAILED', 'bad')}  {fault}")
        if self.execution:
            run = self.cloud.client("stepfunctions").describe_execution(executionArn=self.execution)
            said.fact("execution", f"{run['status']} {run.get('error', '')}\n{run.get('cause', '')}")
            said.fact("functions", "\n".join(logs.of_release(self.cloud, self.execution.rsplit(":")[-1])))
        said.fact("local AWS", "\n".join(logs.of_launcher(self.cloud)))

    def stay(self) -> None:
        """Leaves it running until Ctrl-C, and says what alerts arrive."""
        self.terminal.heading("It runs until Ctrl-C; in another terminal, in the project's folder:")
        self.terminal.line(tryout.requests(self.cloud, self.scene, self.machine))
        self.terminal.heading("Alerts from now on")
        try:
            for alert in self.inbox.posts():
                self.terminal.line(f"  {time.strftime('%H:%M:%S')}  {alert['subject']}. {alert['because']}")
        except KeyboardInterrupt:
            self.terminal.line("\nStopped, and with it everything that it had started.")


@contextmanager
def _limit(seconds: int):
    """Ends what takes too long."""

    def ring(*_) -> None:
        raise TimeIsUp(f"it took more than {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main())
