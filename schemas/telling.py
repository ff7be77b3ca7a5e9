"""What of an event is told to those who ask what happened."""

from typing import Any, Final

from schemas.events import Event

_TOLD: Final = {
    *("amount", "total", "sku", "quantity", "available", "picks", "carrier", "tracking", "final", "reason", "code"),
    *("kind", "shipment_id", "capture_id", "refund_id"),
}
"""Fields of events that say what happened. A list of what is told, so that a new field is untold until it is added:
never a personal one, never what the acquirer is asked with."""


def facts_of(event: Event) -> dict[str, Any]:
    """Give a few plain values that say what happened."""
    return event.model_dump(mode="json", include=_TOLD, exclude_none=True)
