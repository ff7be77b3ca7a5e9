"""Says in a few words what a process waits for, for the people who watch the board."""

from typing import Final

from process_managers.fulfilment_state import OrderFulfilment, Wait

_PHRASES: Final[dict[Wait, str]] = {
    "payment": "the payment to be authorised",
    "confirmation": "the confirmation to be recorded",
    "delivery": "the delivery",
    "completion": "the completion to be recorded",
    "cancellation": "the cancellation to be recorded",
}


def waiting_for(process: OrderFulfilment) -> str:
    """Give a short phrase; empty when the process has ended."""
    match process.waits_for:
        case None:
            phrase = ""
        case "stock":
            phrase = f"stock for {_count(sum(line.stock == 'asked' for line in process.lines), 'line')}"
        case "shipment":
            phrase = "the rest to be shipped" if process.shipments else "the order to be shipped"
        case "capture":
            phrase = _captures(process)
        case "compensation":
            phrase = _compensation(process)
        case "refund":
            phrase = f"{_count(len(process.refunds), 'refund')} to be paid"
        case wait:
            phrase = _PHRASES[wait]
    return phrase


def _captures(process: OrderFulfilment) -> str:
    refused = sum(capture_id in process.refused for capture_id in process.uncaptured)
    return f"a person: {_count(refused, 'capture')} refused" if refused else "the money for a shipment"


def _compensation(process: OrderFulfilment) -> str:
    stock = [f"{_count(process.releasing, 'line')} to be released"] if process.releasing else []
    money = ["the payment to be voided"] if process.payment == "voiding" else []
    return " and ".join(stock + money)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
