"""Logs of a process: to stderr, quiet, one JSON object a line unless a person is watching."""

import logging
import sys
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_TALKATIVE: Final = ("mail.log", "httpx", "httpcore", "asyncio")
"""These tell addresses and URLs at level INFO, which may be personal."""
_REPETITIVE: Final = ("aiokafka", "faust", "librdkafka", "mode")
"""These tell many times a second that a server is away."""
_REPEAT_SECONDS: Final = 10.0
_MOST_KINDS: Final = 1_000
_SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(*, as_json: bool | None = None, level: int = logging.WARNING, role: str | None = None) -> None:
    """Send structlog and the standard library's loggers to stderr. Without `as_json`, a terminal decides.

    Every line tells the `role`, if there is one.

    A traceback never carries the values of variables, which may be personal or secret.
    """
    machine = not sys.stderr.isatty() if as_json is None else as_json
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: tuple[Processor, ...] = (plain,)
    if machine:
        renderer = (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    last: tuple[Processor, ...] = (clean, *renderer) if role is None else (clean, _telling(role), *renderer)
    handler = logging.StreamHandler()
    handler.addFilter(Seldom())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=last))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(handlers=[handler], level=level, force=True)


class Seldom(logging.Filter):
    """Passes one line of each kind in a while, of libraries that repeat themselves."""

    def __init__(self, seconds: float = _REPEAT_SECONDS) -> None:
        super().__init__()
        self._seconds = seconds
        self._told: dict[tuple[str, ...], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        library = record.name.partition(".")[0]
        if library not in _REPETITIVE:
            return True
        kind: tuple[str, ...] = (record.name, record.levelname, str(record.msg))
        if library == "librdkafka" and isinstance(record.args, tuple):
            kind += (str(record.args[0]),)  # the kind is its first argument
        if (told := self._told.get(kind)) is not None and record.created - told < self._seconds:
            return False
        if len(self._told) >= _MOST_KINDS:
            self._told.clear()
        self._told[kind] = record.created
        return True


def _telling(role: str) -> Processor:
    """Bound here and not in a context variable, because threads of libraries log too."""

    def tell(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        return {"role": role, **line}

    return tell
