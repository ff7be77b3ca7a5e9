"""What `orderflow status` tells, as one value."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ProcessStatus(_Told):
    role: str
    """Which part of the platform it runs."""
    pid: int | None
    """Its process id; None while it is being started again."""
    started_at: datetime | None
    """When it was started the last time."""
    restarts: int
    """How often it was started again after it had ended by itself."""


class ServerStatus(_Told):
    name: str
    """Which server: a database or a broker."""
    is_up: bool
    """Whether it answers."""
    pid: int | None
    """Its process id, known when the platform started it."""
    trouble: str = ""
    """Why it does not answer, in a few words."""


class Lag(_Told):
    """How far a reader of the log is behind."""

    reader: str
    """`relay`, or the name of the subscription."""
    position: int
    """The last position of the log that it has passed."""
    events: int
    """Events that it has not passed, at most: those that are none of its business are counted too."""
    seconds: float
    """Since the oldest event that it has not passed yet; 0 when it has passed all."""


class OutboxStatus(_Told):
    queue: str
    """Where the commands are going."""
    waiting: int
    """Commands that are stored and not sent yet."""
    oldest_seconds: float
    """Since the first of them could have been sent."""


class QueueStatus(_Told):
    """One of RabbitMQ's work queues. What a consumer holds at this moment is not counted."""

    queue: str
    """Its name."""
    ready: int
    """Commands that wait for a worker."""
    consumers: int
    """Workers that take from it."""
    retrying: int
    """Commands that come back after a pause, or are handled alone since a worker ended with them."""
    dead: int
    """Commands on the way to the table `dead_letters`."""


class ParkedStatus(_Told):
    consumer: str
    """Who could not handle them."""
    parked: int
    """Messages that were set aside until somebody decides."""
    waiting: int
    """Messages that are held up behind what is parked."""


class DriftStatus(_Told):
    """What the last look found, of rows that some of the log was compared with."""

    projection: str
    """What is derived from the log."""
    looked_at: datetime
    """When that was."""
    rows: int
    """Rows, or orders in Redis, that were looked at."""
    differing: int
    """Those that did not say what the log says."""


class Status(_Told):
    profile: str
    """How the platform runs: `embedded` in one process, or as a `cluster`."""
    told_at: datetime
    """When these figures were taken."""
    head: int | None
    """The newest position of the log; None while the database is away."""
    processes: tuple[ProcessStatus, ...]
    """Each process of the platform."""
    servers: tuple[ServerStatus, ...]
    """Each server that it connects to."""
    relay: Lag | None
    """What copies the log to Kafka; None where Kafka is not used."""
    subscriptions: tuple[Lag, ...]
    """Each reader that keeps its own place in the log."""
    outbox: tuple[OutboxStatus, ...]
    """Each queue that commands wait to be sent to."""
    queues: tuple[QueueStatus, ...]
    """Each work queue, where RabbitMQ is used."""
    parked: tuple[ParkedStatus, ...]
    """Each consumer that has dead letters."""
    drift: tuple[DriftStatus, ...]
    """Each projection that was compared with the log."""

    @property
    def is_well(self) -> bool:
        """Whether everything runs; what lags may still be on its way."""
        return all(server.is_up for server in self.servers) and all(process.pid for process in self.processes)
