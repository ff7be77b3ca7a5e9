"""Which tests one worker runs one after the other, because they share something that is dear to start."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

_TOGETHER: Final = {
    "tests/faults/test_cluster_": "cluster-faults",
    "tests/faults/test_breakages_cluster": "cluster-breakages",
    "tests/faults/test_kill": "faults",
    "tests/faults/test_work": "faults",
    "tests/infra/test_cluster.py": "cluster",
    "tests/infra/test_kept_servers": "kept-servers",
}


def group_of(nodeid: str) -> str:
    """Name the group of a test; a test that shares nothing is its own."""
    if nodeid.startswith("tests/acceptance/"):
        return "acceptance-cluster" if "[cluster" in nodeid else "acceptance-embedded"
    return next((group for path, group in _TOGETHER.items() if nodeid.startswith(path)), nodeid)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # the package has no types
    """pytest-xdist 3.8 cannot name its own groups any more since pytest 9.2, which keeps the id of a test elsewhere."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
