"""From a request's message to the body that HTTP takes, and from what was done to the answer's message."""

import json
from typing import TypeVar

from google.protobuf.message import Message as Proto
from pydantic import ValidationError

from infra.problems import invalid_body
from infra.rpc.values import M, filled, plain
from schemas.base import Message
from write_api.handler import Done

B = TypeVar("B", bound=Message)


def body_of(kind: type[B], request: Proto, *elsewhere: str) -> B:
    """Give the body; fields named `elsewhere` are in the path over HTTP. Raises the 422 problem."""
    values = plain(request)
    for name in elsewhere:
        values.pop(name, None)
    try:
        return kind.model_validate(values)
    except ValidationError as invalid:
        raise invalid_body(invalid) from None


def answered(kind: type[M], done: Done) -> M:
    """Give the answer: the stored receipt, its position, and whether it is repeated."""
    receipt = json.loads(done.response)
    return filled(kind, {**receipt, "position": done.position, "replayed": done.replayed})
