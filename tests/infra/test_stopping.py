import asyncio

from infra.stopping import stop


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
