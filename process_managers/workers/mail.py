"""Writes the mail about an order: what it says, in the customer's language, from the order's own history."""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from babel import Locale as Conventions
from babel.numbers import NumberPattern
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas.base import Locale
from schemas.commands import NotifyCustomer, Sent
from schemas.events.order import Contact, OrderPlaced, OrderShipped
from schemas.money import Money, minor_digits
from schemas.recorded import Recorded

ORDER_HEADER: Final = "X-OrderFlow-Order"

_TEMPLATES: Final = FileSystemLoader(Path(__file__).parent.parent / "templates")
_LETTER_BEFORE_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)")
_CONVENTIONS: Final[dict[Locale, Conventions]] = {"en": Conventions("en"), "pt": Conventions("pt", "PT")}


def _environment(*, html: bool) -> Environment:
    return Environment(
        loader=_TEMPLATES,
        autoescape=html,  # noqa: S701  # plain text must not be escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_HTML: Final = _environment(html=True)
_TEXT: Final = _environment(html=False)


class HistoryMissing(Exception):  # noqa: N818  # a state of the world
    """The order's history does not hold what the mail is about."""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    quantity: int
    amount: str | None = None


def compose(
    sent: Sent, command: NotifyCustomer, contact: Contact, history: Sequence[Recorded], sender: str
) -> EmailMessage:
    """Write the mail. The same command gives the same mail with the same Message-ID, so a resend is recognisable.

    Raises HistoryMissing when the history does not begin with order.placed or lacks the event that the mail is about.
    """
    placed = placed_in(history, command.order_id)
    words = _words(sent.tenant_id, command, placed, contact, history)
    name = f"{placed.locale}/{command.template}.jinja"
    text = _TEXT.get_template(name)
    subject = "".join(text.blocks["subject"](text.new_context(dict(words))))
    message = EmailMessage(policy=SMTP)
    message["Subject"] = " ".join(subject.split())
    message["From"] = _address(_shop(sent.tenant_id), sender)
    message["To"] = _address(contact.name, contact.email)
    message["Date"] = format_datetime(sent.sent_at)
    message["Message-ID"] = f"<{sent.message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message[ORDER_HEADER] = str(command.order_id)
    message.set_content(text.render(words | {"layout": "layout.txt.jinja"}))
    html = _HTML.get_template(name).render(words | {"layout": "layout.html.jinja"})
    message.add_alternative(html, subtype="html")
    message["Content-Language"] = placed.locale
    return message


def placed_in(history: Sequence[Recorded], order_id: UUID) -> OrderPlaced:
    """Give the event that a history begins with; raises HistoryMissing."""
    placed = history[0].event if history else None
    if not isinstance(placed, OrderPlaced):
        raise HistoryMissing(str(order_id))
    return placed


def money(amount: Money, locale: Locale) -> str:
    """Write an amount as people of that language do, with the decimals of its currency."""
    conventions = _CONVENTIONS[locale]
    digits = minor_digits(amount.currency)
    pattern: NumberPattern = copy(conventions.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    value = Decimal(amount.amount).scaleb(-digits)
    written = str(pattern.apply(value, conventions, currency=amount.currency, currency_digits=False))
    return _LETTER_BEFORE_DIGIT.sub("\N{NO-BREAK SPACE}", written)


def _words(
    tenant_id: str, command: NotifyCustomer, placed: OrderPlaced, contact: Contact, history: Sequence[Recorded]
) -> dict[str, object]:
    words: dict[str, object] = {
        "locale": placed.locale,
        "shop": _shop(tenant_id),
        "name": contact.name,
        "order_id": str(command.order_id),
        "rows": (),
        "total": None,
        "address": None,
    }
    match command.template:
        case "order_confirmed":
            return words | {"address": contact.address} | _confirmed(placed)
        case "order_cancelled":
            return words | {"reason": command.reason}
        case "order_shipped":
            return words | {"address": contact.address} | _shipped(command, placed, history)
        case "order_delivered":
            return words
        case "payment_refunded":
            return words | {"charged": money(command.amount, placed.locale) if command.amount else ""}


def _confirmed(placed: OrderPlaced) -> dict[str, object]:
    currency = placed.total.currency
    rows = tuple(
        Row(
            line.name,
            line.quantity,
            money(Money(amount=line.unit_price * line.quantity, currency=currency), placed.locale),
        )
        for line in placed.lines
    )
    return {"rows": rows, "total": money(placed.total, placed.locale)}


def _shipped(command: NotifyCustomer, placed: OrderPlaced, history: Sequence[Recorded]) -> dict[str, object]:
    found = [recorded.event for recorded in history if recorded.event_id == command.event_id]
    if not found or not isinstance(found[0], OrderShipped):
        raise HistoryMissing(str(command.event_id))
    shipped = found[0]
    names = {line.sku: line.name for line in placed.lines}
    return {
        "rows": tuple(Row(names.get(pick.sku, pick.sku), pick.quantity) for pick in shipped.picks),
        "carrier": shipped.carrier,
        "tracking": shipped.tracking,
        "final": shipped.final,
        "charged": money(shipped.amount, placed.locale),
    }


def _shop(tenant_id: str) -> str:
    return tenant_id.replace("-", " ").title()


def _address(name: str, email: str) -> Address:
    username, _, domain = email.rpartition("@")
    return Address(name, username, domain)
