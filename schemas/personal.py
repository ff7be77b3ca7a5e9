"""The mark on messages whose fields are about a person."""

from schemas.base import Message


class Personal(Message):
    """Every field is personal. Held in one nested object per message so that it can be sealed and erased as one.

    Logs, traces, dead letters and the command bus never carry it; projections copy it only into the views that are
    meant to show it. `repr` hides the values, so that a traceback does not leak them.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__
