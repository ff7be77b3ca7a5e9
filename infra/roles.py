"""The processes that the cluster profile consists of, and how the command line finds each."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from infra.runtime import Service

Group = Literal["orderflow.services", "orderflow.transports"]


@dataclass(frozen=True, slots=True)
class Role:
    """Stops in its turn: what takes requests goes first, what carries the rest away goes last."""

    name: str
    group: Group
    pool_size: int
    """Connections to the database, unless a setting says otherwise."""
    turn: Literal[0, 1, 2]
    port: str | None = None
    """The setting of the port that it serves HTTP on."""

    def load(self) -> "Service":
        """Import it; raises LookupError when it is not installed."""
        found = entry_points(group=self.group, name=self.name)
        if not found:
            raise LookupError(f"The part {self.name} is not installed. Run `make venv`.")
        service: Service = next(iter(found)).load()
        return service


ROLES: Final[Mapping[str, Role]] = {
    role.name: role
    for role in (
        Role("write-api", "orderflow.services", pool_size=12, turn=0, port="write_port"),
        Role("query-api", "orderflow.services", pool_size=12, turn=0, port="query_port"),
        Role("processes", "orderflow.services", pool_size=5, turn=1),
        Role("payment-worker", "orderflow.services", pool_size=8, turn=1),
        Role("notification-worker", "orderflow.services", pool_size=5, turn=1),
        Role("relay", "orderflow.transports", pool_size=3, turn=2),
        Role("outbox", "orderflow.transports", pool_size=5, turn=2),
        Role("projector", "orderflow.services", pool_size=6, turn=2),
    )
}
