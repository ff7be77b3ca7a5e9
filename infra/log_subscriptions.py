"""How events reach the subscriptions of the embedded profile: each follows the log itself."""

from typing import Final

from psycopg_pool import AsyncConnectionPool

from infra.feed import Feed
from infra.follower import MOST, Follower
from infra.signals import Signals
from infra.stopping import together
from infra.subscription import Subscription

_WAIT_SECONDS: Final = 0.9
"""A little less than a subscription that wants to be told every second may be kept waiting."""


class LogSubscriptions:
    """In the order of all commits, so that the position reached is simply the end of the last batch."""

    def __init__(self, pool: AsyncConnectionPool, signals: Signals, feed: Feed) -> None:
        self._pool = pool
        self._signals = signals
        self._feed = feed
        self._subscriptions: list[Subscription] = []

    def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions.append(subscription)

    async def run(self) -> None:
        await together(*map(self._follow, self._subscriptions))

    async def _follow(self, subscription: Subscription) -> None:
        follower = Follower(self._pool, self._signals, subscription)

        async def follow(position: int) -> None:
            while True:
                await follower.rested()
                if batch := await self._feed.read(after=position, limit=MOST, wait=_WAIT_SECONDS):
                    position = await follower.take_next(batch)
                else:
                    await follower.keep(position)

        await follower.through_outages(follow)
