"""What `orderflow status` tells, as one value."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProcessStatus(_Told):
    role: str
    pid: int | None
    """None while it is being started again."""
    started_at: datetime | None
    restarts: int


class ServerStatus(_Told):
    name: str
    is_up: bool
    pid: int | None
    """Known when the platform started it."""
    trouble: str = ""


class Lag(_Told):
    """How far a reader of the log is behind."""

    reader: str
    position: int
    events: int
    """At most: those that are none of its business are counted too."""
    seconds: float
    """Since the oldest event that it has not passed yet; 0 when it has passed all."""


class OutboxStatus(_Told):
    queue: str
    waiting: int
    oldest_seconds: float


class QueueStatus(_Told):
    """One of RabbitMQ's work queues. What a consumer holds at this moment is not counted."""

    queue: str
    ready: int
    consumers: int
    retrying: int
    dead: int
    """On the way to `dead_letters`."""


class ParkedStatus(_Told):
    consumer: str
    parked: int
    waiting: int
    """Behind what is parked."""


class Status(_Told):
    profile: str
    told_at: datetime
    head: int | None
    """The newest position of the log; None while the database is away."""
    processes: tuple[ProcessStatus, ...]
    servers: tuple[ServerStatus, ...]
    relay: Lag | None
    subscriptions: tuple[Lag, ...]
    outbox: tuple[OutboxStatus, ...]
    queues: tuple[QueueStatus, ...]
    parked: tuple[ParkedStatus, ...]

    @property
    def is_well(self) -> bool:
        """Whether everything runs; what lags may still be on its way."""
        return all(server.is_up for server in self.servers) and all(process.pid for process in self.processes)
