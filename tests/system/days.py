"""Days on which everything arrives in the order of the log, as it does in one process: histories to judge again."""

from random import Random
from typing import Final
from uuid import UUID

from schemas.recorded import GENESIS, Recorded, digest, encode
from tests.system.shop import BY, PRICES, TOKENS, OrderSystem

_STEPS: Final = 40


def a_day(seed: int) -> list[Recorded]:
    """Give what the log holds after a day of chance, chained as the log would chain it."""
    chance, system = Random(seed), OrderSystem()
    system.the_shop_opens(seed=seed, quantity=chance.choice([20, 6, 3]), baskets=[])
    for _ in range(_STEPS):
        _somebody_does_something(system, chance)
        everything_arrives_in_order(system)
    return _chained(system.world.log)


def _somebody_does_something(system: OrderSystem, chance: Random) -> None:
    number = chance.randrange(10_000)
    match chance.choices(range(5), (5, 2, 10, 1, 1))[0]:
        case 0:
            basket = {sku: chance.randint(1, 3) for sku in chance.sample(sorted(PRICES), chance.randint(1, 2))}
            system.a_customer_orders(basket=basket, token=chance.choice(TOKENS))
        case 1 if system.orders:
            system.somebody_cancels(number=number, by=chance.choice(BY))
        case 2 if system.confirmed():
            parts = chance.choice([None, {chance.choice(sorted(PRICES)): 1}])
            system.staff_work_on_an_order(number=number, parts=parts, amount=chance.choice([1, 50]))
        case 3:
            system.somebody_counts_or_goods_arrive(sku=chance.choice(sorted(PRICES)), delta=chance.randint(-2, 6))
        case 4 if system.world.waiting():
            system.a_deadline_passes(number=number)
        case _:
            pass


def everything_arrives_in_order(system: OrderSystem) -> None:
    """Tell the process of each event as the log has it, and deliver the oldest message next."""
    world = system.world
    while world.wire or world.untold():
        for recorded in [each for each in world.log if world.seen[each.stream_id] < each.version]:
            world.tell(recorded)
        if world.wire:
            world.deliver(next(iter(world.wire.values())))


def _chained(log: list[Recorded]) -> list[Recorded]:
    tails: dict[UUID, str] = {}
    chained = []
    for recorded in log:
        chained.append(recorded.model_copy(update={"prev": tails.get(recorded.stream_id, GENESIS)}))
        tails[recorded.stream_id] = digest(encode(chained[-1]))
    return chained
