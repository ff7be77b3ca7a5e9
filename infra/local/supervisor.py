"""All processes of the cluster profile on this machine, as children of this one."""

import asyncio
from types import TracebackType
from typing import Final, Self

from infra.local.failures import PartFailed
from infra.local.outside import OUTSIDE
from infra.local.supervised import Supervised, Surroundings
from infra.roles import ROLES
from infra.runtime import NotStarted
from infra.stopping import stop

READY_SECONDS: Final = 180.0
TURN_SECONDS: Final = 6.0
"""What each of the four turns gets to end by itself."""
_TURNS: Final = (
    *([name for name, role in ROLES.items() if role.turn == turn] for turn in (0, 1, 2)),
    list(OUTSIDE),
)


class Supervisor:
    """Inside `async with` every process runs; a signal to one restarts it alone, on the same ports."""

    def __init__(self, surroundings: Surroundings, tasks: asyncio.TaskGroup) -> None:
        """A process that cannot start at all fails `tasks`."""
        self._tasks = tasks
        self._keeping: list[asyncio.Task[None]] = []
        self.children = {name: Supervised(name, surroundings) for turn in _TURNS for name in turn}

    async def all_ready(self) -> None:
        """Return when each process has been ready once; raises PartFailed when one takes too long."""
        until = asyncio.get_running_loop().time() + READY_SECONDS
        for child in self.children.values():
            try:
                async with asyncio.timeout_at(until):
                    await child.first_ready()
            except TimeoutError:
                late = NotStarted(f"it was not ready within {READY_SECONDS:.0f} seconds. See {child.log}.")
                raise PartFailed(f"{child.name} could not start") from late

    async def __aenter__(self) -> Self:
        for name, child in self.children.items():
            self._keeping.append(self._tasks.create_task(child.keep(), name=f"keep:{name}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for turn in _TURNS:
            await asyncio.gather(*(self.children[name].stop(TURN_SECONDS) for name in turn))
        await stop(self._keeping)
