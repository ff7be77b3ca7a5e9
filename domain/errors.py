"""Every refusal, each with a stable code. Field values may be told to the caller: none of them is personal."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(eq=False)
class DomainError(Exception):
    """A command that the rules do not allow. Nothing has changed, and the same command may be allowed later.

    `code` never changes once published. `str()` is one sentence, made from the fields alone.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    sentence: ClassVar[str]

    def __str__(self) -> str:
        return self.sentence.format_map(vars(self))


@dataclass(eq=False)
class ProductNotFound(DomainError):
    code = "product-not-found"
    title = "No such product"
    sentence = "{sku} has never been listed."
    sku: str


@dataclass(eq=False)
class ProductAlreadyListed(DomainError):
    code = "product-already-listed"
    title = "The product is already listed"
    sentence = "{sku} is for sale already, with another name, description or price."
    sku: str


@dataclass(eq=False)
class ProductOffSale(DomainError):
    code = "product-off-sale"
    title = "The product is not for sale"
    sentence = "{sku} has been retired."
    sku: str


@dataclass(eq=False)
class CurrencyMismatch(DomainError):
    code = "currency-mismatch"
    title = "The currency does not match"
    sentence = "The amount must be in {expected}, not in {given}."
    expected: str
    given: str


@dataclass(eq=False)
class StockNotFound(DomainError):
    code = "stock-not-found"
    title = "No stock of this SKU"
    sentence = "{sku} has never been received."
    sku: str


@dataclass(eq=False)
class StockLimitExceeded(DomainError):
    code = "stock-limit-exceeded"
    title = "More stock than can be kept"
    sentence = "{sku} would exceed {limit} on hand."
    sku: str
    limit: int


@dataclass(eq=False)
class AdjustmentBelowReserved(DomainError):
    code = "adjustment-below-reserved"
    title = "The stock is set aside for orders"
    sentence = "{sku} would fall to {on_hand} on hand, but {reserved} are reserved."
    sku: str
    on_hand: int
    reserved: int


@dataclass(eq=False)
class OrderNotFound(DomainError):
    """Also when the order belongs to another customer: the two must look the same."""

    code = "order-not-found"
    title = "No such order"
    sentence = "There is no such order."


@dataclass(eq=False)
class OrderAlreadyPlaced(DomainError):
    code = "order-already-placed"
    title = "The order has already been placed"
    sentence = "An order with this id exists."


@dataclass(eq=False)
class DuplicateSku(DomainError):
    code = "duplicate-sku"
    title = "A SKU appears twice"
    sentence = "{sku} appears in more than one line."
    sku: str


@dataclass(eq=False)
class OrderTotalTooLarge(DomainError):
    code = "order-total-too-large"
    title = "The total is too large"
    sentence = "The total would exceed {limit} minor units."
    limit: int


@dataclass(eq=False)
class OrderNotConfirmed(DomainError):
    code = "order-not-confirmed"
    title = "The order is not confirmed"
    sentence = "Only a confirmed order can be shipped."


@dataclass(eq=False)
class OrderClosed(DomainError):
    code = "order-closed"
    title = "The order is closed"
    sentence = "The order is {status}."
    status: str


@dataclass(eq=False)
class OrderStillOpen(DomainError):
    code = "order-still-open"
    title = "The order is still open"
    sentence = "The order is {status}: whoever gets it must be known until it has ended."
    status: str


@dataclass(eq=False)
class OrderAlreadyShipped(DomainError):
    code = "order-already-shipped"
    title = "The order has already shipped"
    sentence = "Goods of this order have left, so it can no longer be cancelled."


@dataclass(eq=False)
class NothingLeftToShip(DomainError):
    code = "nothing-left-to-ship"
    title = "Everything has been shipped"
    sentence = "The order is {status}: nothing is left to ship."
    status: str


@dataclass(eq=False)
class PickExceedsOrder(DomainError):
    code = "pick-exceeds-order"
    title = "More than is left to ship"
    sentence = "{asked} of {sku} were picked, but {left} are left to ship."
    sku: str
    asked: int
    left: int


@dataclass(eq=False)
class ShipmentNotFound(DomainError):
    code = "shipment-not-found"
    title = "No such shipment"
    sentence = "The order has no such shipment."


@dataclass(eq=False)
class PaymentNotFound(DomainError):
    code = "payment-not-found"
    title = "No such payment"
    sentence = "No payment has been asked for."


@dataclass(eq=False)
class EmptyRefund(DomainError):
    code = "empty-refund"
    title = "Nothing to refund"
    sentence = "A refund must be more than nothing."


@dataclass(eq=False)
class RefundExceedsCaptured(DomainError):
    code = "refund-exceeds-captured"
    title = "More than can be refunded"
    sentence = "{asked} was asked for, but at most {refundable} minor units can be refunded."
    asked: int
    refundable: int
