"""Waves that take their traffic together: a client at each production listener hears no new version too early."""

from contextlib import contextmanager

import watch
from balancer import Client
from service import PACK, open_environment, put
from shifting import ShiftingService
from test_traffic import DARK, gates, hello, ids


def pair(pipeline, name: str, **more) -> list[ShiftingService]:
    """An environment whose two services run one image in version v1, and are updated one after the other."""
    policy = {"deployOn": [f"{name}-*"], "bakeSeconds": 0, "healthTimeoutSeconds": 60}
    open_environment(pipeline.cloud, name, shift="together", concurrency=1, **policy)
    pipeline.cloud.client("ecr").create_repository(repositoryName=f"release/{name}")
    services = [ShiftingService(pipeline.cloud, name, f"release/{name}", f"{name}-{each}") for each in "ab"]
    digest = services[0].push("baseline", "v1")["digest"]
    for service in services:
        service.create(digest, tasks=1)
    for service in services:
        service.wait()
        service.configure(lifecycleHooks=[gates(DARK)], **more)
    return services


@contextmanager
def clients(services: list[ShiftingService]):
    """A client at the production listener of each service."""
    first, second = services
    with Client(first.balancer.production) as one, Client(second.balancer.production) as other:
        yield [one, other]


def released(pipeline, services: list[ShiftingService], tag: str) -> watch.Run:
    """The release of version v2 to both services, once it has ended."""
    digest = services[0].push(tag, "v2")["digest"]
    return pipeline.ended(watch.started_by_push(pipeline.cloud, pipeline.machine, digest, tag))


def also(pipeline, service: ShiftingService, **check) -> None:
    """Adds a check to the live tests of a service."""
    more = {"name": "one more", "attempts": 3, "interval": "1s", **check}
    path = f"environments/{service.environment}/services/{service.name}/tests"
    put(pipeline.cloud, path, {"checks": [*PACK["checks"], more]})


def test_none_before_all_are_dark(pipeline, name):
    services = pair(pipeline, name, bakeTimeInMinutes=1)
    with clients(services) as heard:
        run = released(pipeline, services, f"{name}-1")
    assert run.outcome == "Deployed", run.cause
    assert all(client.heard() == hello("v1", "v2") for client in heard)
    rows = [pipeline.row(run, f"move#0#{n}") for n in range(2)]
    dark = max(row["gate"]["at"] for row in rows)
    assert all(dark <= row["answered"]["at"] == row["shifted"] for row in rows)
    assert pipeline.row(run, "head")["shiftThrough"] == 0
    assert run.states.count("Wave") == 2


def test_one_is_bad_in_the_dark(pipeline, name):
    services = pair(pipeline, name, bakeTimeInMinutes=1)
    also(pipeline, services[1], http={"url": "http://${target.address}/", "contains": "hello from v9"})
    before = [ids(service) for service in services]
    with clients(services) as heard:
        run = released(pipeline, services, f"{name}-1")
    assert run.outcome == "RolledBack", run.cause
    assert all(client.heard() == hello("v1") for client in heard)
    assert [ids(service) for service in services] == before


def test_one_is_bad_in_production(pipeline, name):
    services = pair(pipeline, name, bakeTimeInMinutes=600)
    behind = {"url": services[1].balancer.production, "contains": "hello from v1"}
    also(pipeline, services[1], http=behind, on=["live"])
    before = [ids(service) for service in services]
    with clients(services) as heard:
        run = released(pipeline, services, f"{name}-1")
    assert run.outcome == "RolledBack", run.cause
    assert all(client.answers[-1][1] == "hello from v1" for client in heard)
    # The old tasks of both were there all the time.
    assert [ids(service) for service in services] == before
    reasons = [pipeline.row(run, f"move#0#{n}")["reason"] for n in range(2)]
    assert f"given up with {services[1].name}, which failed" in reasons
