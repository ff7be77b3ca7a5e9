"""One running platform for all of them: started here, or the one whose ready file ORDERFLOW_TEST_READY_FILE names."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.ready import Ready
from tests.acceptance.driver import Shop
from tests.running import running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all, so that one platform is enough."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.xdist_group("acceptance"))


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    known = os.environ.get("ORDERFLOW_TEST_READY_FILE")
    if known:
        yield Path(known)
        return
    with running(tmp_path_factory.mktemp("acceptance")) as up:
        yield up.ready_file


@pytest.fixture(scope="session")
def ready(ready_file: Path) -> Ready:
    return Ready.model_validate_json(ready_file.read_bytes())


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def shop(ready: Ready, http: httpx.Client) -> Shop:
    """The tenant that the page at / shows."""
    return Shop(http, ready, ready.tenant_id)
