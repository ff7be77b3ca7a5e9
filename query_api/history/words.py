"""Says a change of a state in one plain sentence."""

from typing import Any, Final

from query_api.history.difference import Change, is_money
from schemas.money import written

NAMES: Final = {
    "asked": "the amount asked for",
    "captures": "the capture {}",
    "contact_erased": "whether the customer was erased",
    "customer_id": "the customer",
    "delivered": "the shipments that arrived",
    "description": "the description",
    "holds": "what order {} holds",
    "lines": "line {}",
    "name": "the name",
    "on_hand": "the count on hand",
    "on_sale": "whether it is for sale",
    "order_id": "the order",
    "price": "the price",
    "refunds": "the refund {}",
    "refused_captures": "the refused captures",
    "released": "the orders that were released before they reserved",
    "reserved": "the count set aside",
    "shipments": "the shipments",
    "short": "the orders that found too little",
    "sku": "the SKU",
    "status": "the status",
    "total": "the total",
    "unshipped": "what is left to ship of {}",
}
"""What a field of a state is called; where it holds many, what one of them is called."""


def sentence(change: Change) -> str:
    said = f"{_what(change)} {_became(change)}."
    return f"{said[0].upper()}{said[1:]}"


def _became(change: Change) -> str:
    old, new, in_a_list = _said(change.old), _said(change.new), isinstance(change.path[-1], int)
    match change.op:
        case "replace":
            return f"changed from {old} to {new}"
        case "add":
            return f"now include {new}" if in_a_list else f"is new: {new}"
        case "remove":
            return f"no longer include {old}" if in_a_list else f"is gone: it was {old}"


def _what(change: Change) -> str:
    field, *within = change.path
    name = NAMES.get(str(field), f"the {_spaced(field)}")
    if "{}" in name and within:
        name = name.format(within.pop(0))
    for part in within:
        name = name if isinstance(part, int) else f"the {_spaced(part)} of {name}"
    return name.replace(" {}", "")


def _spaced(name: str | int) -> str:
    return str(name).replace("_", " ")


def _said(value: Any) -> str:  # noqa: ANN401  # JSON is any value
    if is_money(value):
        return written(value["amount"], value["currency"])
    if isinstance(value, dict):
        return ", ".join(f"{_spaced(name)} {_said(each)}" for name, each in value.items()) or "nothing"
    if isinstance(value, list):
        return " and ".join(map(_said, value)) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else _spaced(value)
