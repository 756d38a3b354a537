"""What all tests against the local AWS share: one launcher, and small helpers around it."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import build  # noqa: E402
import permissions  # noqa: E402
import service  # noqa: E402
import stack  # noqa: E402
from cloud import Cloud  # noqa: E402
from leaks import leaks  # noqa: E402
from pipeline import Pipeline  # noqa: E402
from receivers import Receivers  # noqa: E402
from shop import Shop  # noqa: E402


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keeps a file in one process if its tests share what they made; all other tests may run in any."""
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatIsShared(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if 'scope="module"' in (config.rootpath / file).read_text() else nodeid

    return ByWhatIsShared(config, log)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """A local AWS for a session of one process; its Waits are a hundred times as fast, its deployments sixty."""
    with Cloud(tmp_path_factory.mktemp("aws"), wait_scale=0.01, minute_seconds=1) as running:
        yield running


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory):
    """The real stack, deployed once, on a local AWS of its own: its calls are recorded and counted."""
    build.build()
    state = tmp_path_factory.mktemp("pipeline")
    with (
        Receivers() as receivers,
        Cloud(state, wait_scale=0.02, minute_seconds=1, hosts=receivers.url) as running,
    ):
        pipeline = Pipeline(running, receivers)
        yield pipeline
        # After the last test that used it: what all of them did and left behind counts.
        assert permissions.faults(running, stack.STACK) + leaks(pipeline) == []


@pytest.fixture
def name(request) -> str:
    """A name of its own for what a test creates, since tests share the launcher."""
    return request.node.name.replace("_", "-").removeprefix("test-")[:26].strip("-")


@pytest.fixture
def eventually():
    """Looks until there is something to see, and returns it."""
    return lambda look: service.eventually(look, "what the test waits for came")


@pytest.fixture
def shop(cloud, name):
    shop = Shop(cloud, name)
    yield shop
    for service in shop.ecs.list_services(cluster=name, maxResults=100)["serviceArns"]:
        shop.ecs.delete_service(cluster=name, service=service, force=True)
