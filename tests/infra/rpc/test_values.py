from datetime import UTC, date, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.type import date_pb2, money_pb2
from hypothesis import given
from hypothesis import strategies as st
from orderflow.commands.v1 import catalogue_command_service_pb2 as shop
from orderflow.commands.v1 import order_command_service_pb2 as orders
from orderflow.queries.v1 import operations_query_service_pb2 as operations
from orderflow.queries.v1 import order_query_service_pb2 as queries
from orderflow.queries.v1 import paging_pb2
from orderflow.types.v1 import order_pb2 as types

from infra.problems import Problem
from infra.rpc.values import filled, plain
from schemas.money import CURRENCIES, Money, minor_digits


@pytest.mark.parametrize(
    ("amount", "currency", "units", "nanos"),
    [(1250, "EUR", 12, 500_000_000), (1, "EUR", 0, 10_000_000), (1250, "JPY", 1250, 0), (1, "KWD", 0, 1_000_000)],
)
def test_money_is_counted_in_the_unit_of_its_currency(amount: int, currency: str, units: int, nanos: int) -> None:
    message = filled(shop.RepriceProductRequest, {"sku": "A", "price": {"amount": amount, "currency": currency}})
    assert message.price == money_pb2.Money(currency_code=currency, units=units, nanos=nanos)
    assert plain(message)["price"] == {"amount": amount, "currency": currency}


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCIES)))
def test_money_comes_back_as_it_went(amount: int, currency: str) -> None:
    revenue = {"amount": amount, "currency": currency}
    message = filled(operations.GetDashboardResponse, {"revenue_today": [revenue]})
    assert plain(message)["revenue_today"] == [revenue]


@pytest.mark.parametrize(("units", "nanos"), [(1, 1), (1, 5_000_000), (1, -10_000_000), (-1, 10_000_000)])
def test_money_that_is_no_amount_of_its_currency_is_refused(units: int, nanos: int) -> None:
    message = shop.RepriceProductRequest(price=money_pb2.Money(currency_code="EUR", units=units, nanos=nanos))
    with pytest.raises(Problem) as refused:
        plain(message)
    assert refused.value.errors[0][0] == "/price"


@given(st.sampled_from(sorted(CURRENCIES)), st.integers(0, 10**12))
def test_no_nanos_are_lost(currency: str, amount: int) -> None:
    message = filled(shop.RepriceProductRequest, {"price": Money(amount=amount, currency=currency)})
    digits = minor_digits(currency)
    assert message.price.units * 10**9 + message.price.nanos == amount * 10 ** (9 - digits)


def test_what_is_not_set_is_not_said() -> None:
    assert plain(orders.PlaceOrderRequest()) == {}


def test_enums_are_the_words_of_the_json_apis() -> None:
    request = queries.ListOrdersRequest(
        filter=queries.OrderFilter(status=[types.ORDER_STATUS_PARTLY_SHIPPED]), sort=queries.ORDER_SORT_TOTAL_DESCENDING
    )
    assert plain(request) == {"filter": {"status": ["partly_shipped"]}, "sort": "total_descending"}
    assert filled(queries.OrderChange, {"status": "completed"}).status == types.ORDER_STATUS_COMPLETED


def test_times_come_back_as_they_went() -> None:
    at = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
    assert plain(filled(queries.OrderFilter, {"placed_from": at})) == {"placed_from": at}
    day = date(2026, 3, 14)
    assert plain(filled(operations.GetDailySalesRequest, {"from": day})) == {"from": day}
    wait = paging_pb2.Freshness(wait=Duration(seconds=1, nanos=500_000_000))
    assert plain(wait) == {"wait": timedelta(seconds=1.5).total_seconds()}


@pytest.mark.parametrize("day", [{"year": 2026}, {"year": 2026, "month": 13, "day": 1}, {"month": 1, "day": 1}])
def test_a_day_that_is_none_is_refused(day: dict[str, int]) -> None:
    message = operations.GetDailySalesRequest(to=date_pb2.Date(**day))
    with pytest.raises(Problem):
        plain(message)


def test_an_instant_beyond_the_calendar_is_refused() -> None:
    message = queries.OrderFilter()
    message.placed_to.seconds = 2**60
    with pytest.raises(Problem):
        plain(message)
