"""One running platform of each profile for all of them, or the one whose ready file ORDERFLOW_TEST_READY_FILE names."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.ready import Ready
from tests.acceptance.driver import Shop
from tests.grpc_edge import GrpcEdge
from tests.running import running

KNOWN = os.environ.get("ORDERFLOW_TEST_READY_FILE")
PROFILES = ("embedded", "cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.acceptance)


@pytest.fixture(scope="session", params=["running"] if KNOWN else PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def ready_file(profile: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if KNOWN:
        yield Path(KNOWN)
        return
    folder, often = tmp_path_factory.mktemp("acceptance"), {"ORDERFLOW_CHECKPOINT_EVERY": "2"}
    with running(folder, cluster=profile == "cluster", settings=often) as up:
        yield up.ready_file


@pytest.fixture(scope="session")
def ready(ready_file: Path) -> Ready:
    return Ready.model_validate_json(ready_file.read_bytes())


@pytest.fixture(scope="session", params=["rest", "grpc"])
def edge(request: pytest.FixtureRequest) -> str:
    """The way in: every scenario is the same over both."""
    return str(request.param)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def shop(ready: Ready, edge: str) -> Iterator[Shop]:
    """The tenant that the page at / shows."""
    mounts = {
        ready.write_url: GrpcEdge(ready.write_grpc, ready.query_url),
        ready.query_url: GrpcEdge(ready.query_grpc, ready.query_url),
    }
    with httpx.Client(timeout=20, mounts=mounts if edge == "grpc" else None) as client:
        yield Shop(client, ready, ready.tenant_id)
