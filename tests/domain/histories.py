"""Commands of every kind on one stream, with ids and amounts that often meet, and the histories that they make."""

from typing import Final, get_args

from hypothesis import strategies as st

from domain.errors import DomainError
from domain.order.commands import OrderCommand, PlaceOrder, QuotedLine
from domain.payment.commands import PaymentCommand
from domain.product.commands import ProductCommand
from domain.stock.commands import ReceiveStock, StockCommand
from schemas.events import Event
from tests import strategies
from tests.command_examples import confirm, record_authorisation, record_capture, request_payment, reserve
from tests.examples import CUSTOMER_ID, ORDER_ID, OTHER_SKU, SEALED, SKU, TOKEN, euros, uuid
from tests.given import AnyCommand, decided

Commands = list[AnyCommand]

_often: Final = st.sampled_from([euros(100), euros(100), euros(60), euros(40)])
_quoted: Final = st.builds(
    QuotedLine,
    sku=strategies.skus,
    name=strategies.texts,
    quantity=strategies.quantities,
    unit_price=_often | strategies.monies,
    product_version=strategies.versions,
)
_place: Final = st.builds(
    PlaceOrder,
    customer_id=strategies.customer_ids,
    contact=strategies.sealed,
    locale=st.just("pt"),
    lines=st.lists(_quoted, min_size=1, max_size=3).map(tuple),
    payment_token=strategies.FIELDS["payment_token"],
)


def place() -> PlaceOrder:
    """Place an order of three pieces of one SKU and one of another."""
    lines = tuple(
        QuotedLine(sku=sku, name=sku, quantity=quantity, unit_price=euros(20), product_version=1)
        for sku, quantity in ((SKU, 3), (OTHER_SKU, 1))
    )
    return PlaceOrder(customer_id=CUSTOMER_ID, contact=SEALED, locale="en", lines=lines, payment_token=TOKEN)


def _one_stream(command: AnyCommand) -> AnyCommand:
    """Give the command as one on the stream that all the others are on."""
    fields = type(command).model_fields
    same: dict[str, object] = {"customer_id": CUSTOMER_ID}
    if isinstance(command, StockCommand | ProductCommand):
        same |= {"sku": SKU}
    else:
        same |= {"order_id": ORDER_ID}
    return command.model_copy(update={name: value for name, value in same.items() if name in fields})


def _asked_of(union: object) -> st.SearchStrategy[AnyCommand]:
    kinds = [kind for kind in get_args(union) if kind is not PlaceOrder]
    return st.one_of([strategies.a(kind) for kind in kinds]).map(_one_stream)


def _with_usual_amounts(command: AnyCommand) -> st.SearchStrategy[AnyCommand]:
    if "amount" not in type(command).model_fields:
        return st.just(command)
    return _often.map(lambda amount: command.model_copy(update={"amount": amount})) | st.just(command)


_stock_commands: Final = _asked_of(StockCommand)
_order_commands: Final = _asked_of(OrderCommand) | _place.map(_one_stream)
_payment_commands: Final = _asked_of(PaymentCommand).flatmap(_with_usual_amounts)

_HELD: Final[Commands] = [ReceiveStock(sku=SKU, quantity=8), reserve(3, uuid("order 0"))]
_CONFIRMED: Final[Commands] = [place(), confirm()]
_CAPTURED: Final[Commands] = [
    request_payment(euros(100)),
    record_authorisation(euros(100)),
    record_capture(euros(60), uuid("shipment 0")),
]


def _after(opening: Commands, commands: st.SearchStrategy[AnyCommand]) -> st.SearchStrategy[Commands]:
    """Give any commands after a beginning of `opening`, so that they often come far."""
    beginnings = st.integers(0, len(opening)).map(lambda length: opening[:length])
    return st.builds(list.__add__, beginnings, st.lists(commands, max_size=15))


of_a_product: Final = _after([], _asked_of(ProductCommand))
of_stock: Final = _after(_HELD, _stock_commands)
of_an_order: Final = _after(_CONFIRMED, _order_commands)
of_a_payment: Final = _after(_CAPTURED, _payment_commands)


def history_of(commands: Commands) -> list[Event]:
    """Give all the events that the commands cause one after the other; what is refused leaves nothing."""
    history: list[Event] = []
    for command in commands:
        try:
            history += decided(history, command)
        except DomainError:
            continue
    return history
