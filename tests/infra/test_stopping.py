import asyncio

import pytest

from infra.stopping import stop, together


async def _deaf_to_the_first() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def test_a_task_that_misses_a_cancellation_is_cancelled_again() -> None:
    deaf = asyncio.create_task(_deaf_to_the_first())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await stop([deaf])
    assert deaf.cancelled()


async def test_what_has_ended_or_fails_meanwhile_does_not_stop_the_stopping() -> None:
    async def fails() -> None:
        raise LookupError

    ended = asyncio.create_task(asyncio.sleep(0))
    await ended
    failed = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await stop([ended, failed, asyncio.create_task(asyncio.Event().wait())])
    assert isinstance(failed.exception(), LookupError)


async def test_work_that_misses_a_cancellation_ends_with_the_work_that_it_is_done_together_with() -> None:
    whole = asyncio.create_task(together(_deaf_to_the_first(), asyncio.Event().wait()))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await stop([whole])
    assert whole.cancelled()


async def test_what_fails_ends_what_it_is_done_together_with() -> None:
    async def fails() -> None:
        raise LookupError

    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await together(_deaf_to_the_first(), fails())
    await together()
