"""The system driven by hypothesis, which finds the shortest story of a failure, and by chance, which goes deep."""

from random import Random

import pytest
from hypothesis import settings

from tests.system.shop import BY, KINDS, LUCK, PRICES, TOKENS, OrderSystem

TestOrderSystem = OrderSystem.TestCase
TestOrderSystem.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.parametrize("seed", range(100))
def test_a_long_day_of_chance_breaks_nothing(seed: int) -> None:
    chance = Random(seed)
    system = OrderSystem()
    system.the_shop_opens(seed=seed, quantity=chance.choice([20, 6, 3, 1]), baskets=[])
    for _ in range(150):
        _something_happens(system, chance)
        system.nothing_is_broken()
    system.teardown()


def _something_happens(system: OrderSystem, chance: Random) -> None:
    number = chance.randrange(10_000)
    match chance.choices(range(8), (60, 6, 3, 8, 2, 6, 2, 0.5))[0]:
        case 0:
            system.move(number, chance.choice(LUCK))
        case 1:
            basket = {sku: chance.randint(1, 3) for sku in chance.sample(sorted(PRICES), chance.randint(1, 2))}
            system.a_customer_orders(basket=basket, token=chance.choice(TOKENS))
        case 2 if system.orders:
            system.somebody_cancels(number=number, by=chance.choice(BY))
        case 3 if system.confirmed():
            parts = chance.choice([None, {chance.choice(sorted(PRICES)): chance.randint(1, 2)}])
            system.staff_work_on_an_order(number=number, parts=parts, amount=chance.choice([1, 50, 107]))
        case 4:
            system.somebody_counts_or_goods_arrive(sku=chance.choice(sorted(PRICES)), delta=chance.randint(-4, 4))
        case 5:
            system.something_old_comes_again(number=number, kind=chance.choice(KINDS))
        case 6 if system.world.waiting():
            system.a_deadline_passes(number=number)
        case 7:
            system.the_process_is_rebuilt_from_the_log()
        case _:
            pass
