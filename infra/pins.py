"""Which consumers are pinned to which old forms, as a setting tells it: JSON, refused in one sentence."""

import json
import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from schemas.upcasters import STEPS

_CONSUMER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as broken:
        raise ValueError('it is no JSON such as {"warehouse": ["payment.declined.v1"]}') from broken


def _can_be_pinned(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for consumer, forms in value.items():
        if not _CONSUMER.fullmatch(consumer):
            raise ValueError(f"{consumer!r} is no name of a consumer: letters, digits, - and _")
        if not forms:
            raise ValueError(f"{consumer} is pinned to nothing")
        if unknown := sorted(set(forms) - STEPS.keys()):
            raise ValueError(f"{unknown[0]} is no form that has a successor; there are: {', '.join(STEPS)}")
    return value


Pins = Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_from_json), AfterValidator(_can_be_pinned)]
