"""`make demo`: pushes good and bad images of two services, and shows their releases, on a local AWS.

    python local/demo.py [--keep]

ECS rolls one service, and shifts the traffic of the other one. Exit code 0 means that the good images are
Deployed and the bad ones RolledBack, that after each of them every task reports the good digest and every target
answers with the good version, and that all alerts came by SNS and by webhook. Where the traffic is shifted it
means, too, that no request of a client at the production listener failed, that the client heard the good version
only after the gate was answered, and that it never heard the bad one, which the test listener did answer with.
"""

import argparse
import signal
import sys
import time
from contextlib import contextmanager
from datetime import datetime

import build
import cost
import demo_alerts
import logs
import next_steps
import pages
import stack
import watch
from cloud import Cloud
from demo_acts import ROLLED, SHIFTED, Push
from demo_shift import MINUTE_SECONDS, Shift, Visitors, create_web, open_web
from inbox import Inbox
from proof import Proof, write_report
from receivers import Receivers
from service import Service, SoleService, put
from shifting import ShiftingService
from terminal import Clock, Live, Terminal, durations

STATE = build.ROOT / ".local/demo"
REPORT, PAGES = STATE / "report.json", STATE / "report.html"
PATIENCE = 180
POLICY = {"deployOn": ["main-*"], "bakeSeconds": 1, "healthTimeoutSeconds": 60}


class TimeIsUp(BaseException):
    """The demo took too long; no Exception, since boto3 would take that for a fault of the connection."""


def main() -> int:
    """Runs the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo.py", description="Shows a release on a local AWS.")
    parser.add_argument("--keep", action="store_true", help="leave it running, and print requests to try")
    keep, terminal = parser.parse_args().keep, Terminal()
    # `kill` ends it as Ctrl-C does, which a shell switches off for what it runs in the background.
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.default_int_handler)
    terminal.heading("Setup")
    clock = Clock(terminal)
    try:
        build.build()
        clock.done("built: functions, tools, demo service")
        with (
            Receivers() as receivers,
            Cloud(STATE, minute_seconds=MINUTE_SECONDS, hosts=receivers.url) as cloud,
        ):
            clock.done(f"a local AWS runs at {cloud.endpoint}; its files are in .local/demo")
            return Demo(terminal, cloud, receivers).run(clock, keep)
    except KeyboardInterrupt:
        terminal.line("\nStopped, with everything that it started.")
        return 130
    except (build.BuildError, RuntimeError) as problem:
        terminal.line(f"\n{terminal.paint('FAILED', 'bad')}  {problem}")
        return 1


class Demo:
    """One run on a fresh local AWS."""

    def __init__(self, terminal: Terminal, cloud: Cloud, receivers: Receivers) -> None:
        self.terminal, self.cloud, self.receivers = terminal, cloud, receivers
        self.machine = self.execution = self.draws = ""
        self.inbox: Inbox | None = None
        self.users: SoleService | None = None
        self.web: ShiftingService | None = None
        self.memory: dict[str, int] = {}
        self.reports: list[dict] = []
        self.releases: list[str] = []

    def run(self, clock: Clock, keep: bool) -> int:
        """Sets up, pushes, and shows what happens; returns the exit code."""
        for file in (REPORT, PAGES):
            file.unlink(missing_ok=True)
        try:
            with _limit(PATIENCE):
                self.set_up(clock)
                faults = self.roll() or self.shift()
                pages.write(self.cloud, self.draws, "a run of the demo", self.releases, PAGES)
        except (Exception, TimeIsUp) as problem:  # whatever it was: a sentence and the logs, and no traceback
            faults = [f"{type(problem).__name__}: {problem}"]
        if faults:
            self.explain(faults)
        if keep and self.web:
            self.wait_for_alerts()
        elif not faults:
            self.terminal.heading("Next steps")
            self.terminal.line(next_steps.NEXT)
        return 1 if faults else 0

    def set_up(self, clock: Clock) -> None:
        """Deploys the stack, and two services of two tasks that run a first image."""
        outputs = build.deploy(self.cloud, STATE / "build", clusters="dev", repositories="shop/")
        self.machine, self.draws = outputs["StateMachineArn"], outputs["DashboardFunction"]
        self.memory = stack.memory(self.cloud)
        clock.done("deployed: template.yaml, with eight functions and two state machines")
        demo_alerts.keep_secrets(self.cloud)
        self.inbox = Inbox(self.cloud, outputs["TopicArn"], demo_alerts.CHANNELS)
        users = SoleService(self.cloud, "dev", "shop/users", "users", **POLICY)
        digest = users.push("baseline", "v1")["digest"]
        users.create(digest, tasks=2)
        web = create_web(self.cloud, "dev")
        clock.done(f"pushed: shop/users:baseline and shop/web:baseline, {digest}")
        users.wait()
        clock.done("running: service users in cluster dev, two tasks behind a target group, ROLLING")
        open_web(web)
        clock.done("running: service web in cluster dev, two tasks behind a load balancer, BLUE_GREEN")
        self.users, self.web = users, web

    def roll(self) -> list[str]:
        """Pushes images of users, up to the first whose release ends wrongly; returns what is wrong."""
        good = None
        for push in ROLLED:
            proof = self.release(self.users, push, good)
            # After a bad image the service has to run the good one again.
            good = good or proof
            if faults := self.take(self.users, proof):
                return faults
        return []

    def shift(self) -> list[str]:
        """The same with web, whose listeners are asked meanwhile."""
        good, before = None, "v1"
        for push in SHIFTED:
            with Visitors(self.web) as visitors:
                proof = self.release(self.web, push, good)
            shift = visitors.saw(proof, before, push.version)
            good, before = good or proof, proof.version
            if faults := self.take(self.web, proof, shift):
                return faults
        return []

    def take(self, service: Service, proof: Proof, shift: Shift | None = None) -> list[str]:
        """Shows and reports a release; returns what is wrong."""
        if shift:
            shift.show(self.terminal)
        self.show(proof)
        more = {"shift": shift.document()} if shift else {}
        self.reports.append({"service": service.name, **proof.document(), **more})
        write_report(REPORT, self.reports)
        return proof.faults() + (shift.faults() if shift else [])

    def release(self, service: Service, push: Push, good: Proof | None) -> Proof:
        """Pushes an image and follows what that starts to its end."""
        put(self.cloud, f"environments/dev/services/{service.name}/tests", {"checks": push.checks})
        digest = service.push(push.tag, push.version, push.behaviour)["digest"]
        pushed = time.time()
        self.terminal.heading(f"Pushed {service.repository}:{push.tag}, {push.description}: {digest}")
        self.execution = watch.started_by_push(self.cloud, self.machine, digest, push.tag)
        run = watch.follow(self.cloud, self.execution, Live(self.terminal, pushed))
        self.releases.append(run.name)
        by_topic, by_webhook = self.inbox.about(run.name)
        running, tagged, answers = service.digests(), service.tagged(service.environment), service.answers()
        digest, version = (good.digest, good.version) if good else (digest, push.version)
        seen = (running, tagged, answers, by_topic, by_webhook)
        return Proof(pushed, digest, version, run, *seen, expected=push.outcome)

    def show(self, proof: Proof) -> None:
        """Shows how a release ended, and what is true afterwards."""
        said, run = self.terminal, proof.run
        said.heading("Result")
        said.fact("outcome", run.outcome, "good" if run.outcome == proof.expected else "bad")
        said.fact("", f"{run.ended.timestamp() - proof.pushed:.1f} s after the push{self.updated(proof)}")
        said.fact("running", "\n".join(f"{each} (DescribeTasks)" for each in proof.running))
        said.fact("answers", "\n".join(f"{where}  {what}" for where, what in proof.answers.items()))
        said.fact("steps", durations(run.steps))
        said.fact("cost", "\n".join(cost.of(self.cloud, run, self.memory).lines()))
        said.fact("alert", proof.by_topic or "none by SNS")
        said.fact("", "the same alert came by webhook, signed" if proof.by_webhook else "none by webhook")
        told = demo_alerts.shown(self.receivers, run.name) if run.outcome == "RolledBack" else []
        for label, text in told:
            said.fact(label, text)

    def updated(self, proof: Proof) -> str:
        """When ECS was asked to deploy, if it was."""
        calls = self.cloud.calls(agent="tidegate-deploy", operation="UpdateService")
        moments = [datetime.fromisoformat(call["at"]).timestamp() - proof.pushed for call in calls]
        return f"; UpdateService was called after {moments[-1]:.1f} s" if moments and moments[-1] > 0 else ""

    def explain(self, faults: list[str]) -> None:
        """Says what is wrong, and shows what may tell why."""
        said = self.terminal
        said.heading("What is wrong")
        for fault in faults:
            said.line(f"  {said.paint('FAILED', 'bad')}  {fault}")
        if self.execution:
            run = self.cloud.client("stepfunctions").describe_execution(executionArn=self.execution)
            said.fact("execution", f"{run['status']} {run.get('error', '')}\n{run.get('cause', '')}")
            said.fact("functions", "\n".join(logs.of_release(self.cloud, watch.release_of(self.execution))))
        said.fact("local AWS", "\n".join(logs.of_launcher(self.cloud)))

    def wait_for_alerts(self) -> None:
        """Leaves the local AWS running until Ctrl-C, and shows the alerts that arrive."""
        self.terminal.heading("The local AWS runs until Ctrl-C. To try, in another terminal, in the project's folder:")
        self.terminal.line(next_steps.requests(self.cloud, self.users, self.web, self.machine))
        self.terminal.heading("Alerts from now on")
        try:
            for alert in self.inbox.posts():
                self.terminal.line(f"  {time.strftime('%H:%M:%S')}  {alert['subject']}. {alert['because']}")
        except KeyboardInterrupt:
            self.terminal.line("\nStopped, with everything that it started.")


@contextmanager
def _limit(seconds: int):
    """Ends the demo if it takes too long."""

    def ring(*_) -> None:
        raise TimeIsUp(f"the demo took more than {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main())
