"""Read every figure of a generation of the live figures."""

from typing import Any, Final

from infra.live_keys import PREFIX

_SCAN: Final = 1_000
Figure = tuple[str, str, str]
"""Whose (empty for an order), of what, and the field or member."""


async def figures_of(redis: Any, generation: bytes) -> dict[Figure, bytes]:  # noqa: ANN401  # its types leave open whether it decodes
    """Give every figure but zeros, which need not be there."""
    found: dict[Figure, bytes] = {}
    prefix = f"{PREFIX}:{generation.decode()}:"
    async for key in redis.scan_iter(match=f"{prefix}*", count=_SCAN):
        whose, _, what = key.decode().removeprefix(prefix).partition(":")
        if whose == "order":
            whose, what = "", f"order {what}"
        if what:
            for field, value in (await _values(redis, key)).items():
                found[whose, what, field] = value
    return {figure: value for figure, value in found.items() if value != b"0"}


async def _values(redis: Any, key: bytes) -> dict[str, bytes]:  # noqa: ANN401  # the same
    match await redis.type(key):
        case b"hash":
            return {field.decode(): value for field, value in (await redis.hgetall(key)).items()}
        case b"zset":
            members = await redis.zrange(key, 0, -1, withscores=True)
            return {member.decode(): str(int(score)).encode() for member, score in members}
        case b"string":
            return {"": await redis.get(key) or b"0"}
        case _:
            return {}
