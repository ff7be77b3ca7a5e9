"""What the customer reads, in both languages."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import get_args

import pytest

from process_managers.workers.mail import HistoryMissing, compose, money
from schemas.base import Locale
from schemas.commands import NotifyCustomer, Template
from schemas.events import Event
from schemas.events.order import CancelReason
from schemas.money import Money
from tests.command_examples import sent
from tests.examples import (
    ORDER_ID,
    OTHER_SKU,
    a_contact,
    a_line,
    a_pick,
    cancelled,
    confirmed,
    delivered,
    euros,
    history,
    placed,
    shipped,
)

SENDER = "orders@orderflow.example"


def about(template: Template, *events: Event, locale: Locale = "en", name: str = "Ana Souza") -> EmailMessage:
    """Give the mail about the last event, as the receiving side parses it."""
    past = history(placed(locale=locale), *events)
    command = NotifyCustomer(
        order_id=ORDER_ID,
        template=template,
        event_id=past[-1].event_id,
        picks=(a_pick(),) if template == "order_shipped" else None,
        amount=euros(6800) if template == "payment_refunded" else None,
        reason="customer_request" if template == "order_cancelled" else None,
    )
    return message_from_bytes(
        compose(sent(command), command, a_contact(name), past, SENDER).as_bytes(), policy=policy.default
    )


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body
    return str(body.get_content()).replace("\r\n", "\n")


def text(mail: EmailMessage) -> str:
    return part(mail, "plain")


ANY: dict[str, Event] = {
    "order_confirmed": confirmed(),
    "order_cancelled": cancelled(),
    "order_shipped": shipped(),
    "order_delivered": delivered(),
    "payment_refunded": delivered(),
}


@pytest.mark.parametrize("locale", get_args(Locale))
@pytest.mark.parametrize("template", get_args(Template))
def test_every_mail_greets_by_name_and_tells_the_order_in_text_and_html(template: Template, locale: Locale) -> None:
    mail = about(template, ANY[template], locale=locale)
    for kind in ("plain", "html"):
        assert str(ORDER_ID) in part(mail, kind)
        assert "Ana Souza" in part(mail, kind)
        assert "{{" not in part(mail, kind)
    assert mail["Content-Language"] == locale
    assert f'lang="{locale}"' in part(mail, "html")


@pytest.mark.parametrize("template", get_args(Template))
def test_the_two_languages_say_it_differently(template: Template) -> None:
    english, portuguese = (about(template, ANY[template], locale=locale) for locale in ("en", "pt"))
    assert english["Subject"] != portuguese["Subject"]
    assert text(english) != text(portuguese)


def test_the_confirmation_lists_what_was_bought_and_what_it_costs() -> None:
    mail = about("order_confirmed", confirmed())
    assert mail["Subject"] == "Your order is confirmed"
    assert text(mail) == CONFIRMATION


CONFIRMATION = f"""\
Thank you, Ana Souza

Your order is confirmed and we are getting it ready. Your card is
charged only when it ships, and we will write to you then.

2 x Yirgacheffe 250 g  €29.00
1 x Yirgacheffe 250 g  €39.00
Total  €68.00

Going to
Rua das Flores 12, 4050-262 Porto

--
Kaffa
Order {ORDER_ID}
Reply to this mail if anything is not as it should be.
"""


def test_the_shipping_mail_tells_carrier_tracking_and_charge() -> None:
    mail = about("order_shipped", confirmed(), shipped())
    assert mail["Subject"] == "Your order is on its way"
    for expected in ("CTT Expresso", "RR123456785PT", "€68.00"):
        assert expected in " ".join(text(mail).split())


def test_a_shipment_without_tracking_promises_none() -> None:
    event = shipped().model_copy(update={"tracking": None})
    assert "tracking" not in text(about("order_shipped", confirmed(), event))


def test_a_part_is_announced_as_a_part() -> None:
    mail = about("order_shipped", confirmed(), shipped(a_pick(), final=False))
    assert mail["Subject"] == "Part of your order is on its way"
    assert "another parcel" in " ".join(text(mail).split())


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("customer_request", "as you asked"),
        ("out_of_stock", "sold out"),
        ("payment_declined", "declined"),
        ("payment_deadline", "in time"),
        ("stock_deadline", "could not fulfil"),
        ("staff_decision", "could not fulfil"),
    ],
)
def test_the_cancellation_says_why(reason: CancelReason, expected: str) -> None:
    past = history(placed(), cancelled(reason=reason))
    command = NotifyCustomer(order_id=ORDER_ID, template="order_cancelled", event_id=past[-1].event_id, reason=reason)
    mail = compose(sent(command), command, a_contact(), past, SENDER)
    body = mail.get_body(("plain",))
    assert body
    assert expected in " ".join(body.get_content().split())


def test_the_refund_names_the_amount_in_the_subject() -> None:
    assert about("payment_refunded", delivered(), locale="pt")["Subject"] == "Reembolsámos 68,00 €"


def test_the_html_escapes_what_the_customer_wrote() -> None:
    html = part(about("order_confirmed", confirmed(), name="<b>Ana</b> & Rui"), "html")
    assert "<b>Ana" not in html
    assert "&lt;b&gt;Ana&lt;/b&gt; &amp; Rui" in html


def test_the_text_escapes_nothing() -> None:
    assert "<b>Ana</b> & Rui" in text(about("order_confirmed", confirmed(), name="<b>Ana</b> & Rui"))


@pytest.mark.parametrize("name", ['"Ana" <evil@example.com>', "Ana; rm", "Ána Çãô " * 12, "=?utf-8?q?a?=", "a,b@c"])
def test_no_name_can_add_a_recipient_or_a_header(name: str) -> None:
    mail = about("order_confirmed", confirmed(), name=name.strip())
    assert [address.addr_spec for address in mail["To"].addresses] == ["ana.souza@example.com"]
    assert mail["Bcc"] is None


def test_no_line_break_can_enter_a_header() -> None:
    contact = a_contact().model_copy(update={"name": "Ana\r\nBcc: evil@example.com"})
    past = history(placed(), confirmed())
    command = NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=past[-1].event_id)
    with pytest.raises(ValueError, match="CR or LF"):
        compose(sent(command), command, contact, past, SENDER)


def test_an_address_with_odd_dots_is_still_one_address() -> None:
    past = history(placed(), confirmed())
    command = NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=past[-1].event_id)
    contact = a_contact(email="a..b@example.com")
    assert compose(sent(command), command, contact, past, SENDER)["To"].addresses[0].username == "a..b"


def test_the_same_command_gives_the_same_mail_under_the_same_message_id() -> None:
    first, second = about("order_confirmed", confirmed()), about("order_confirmed", confirmed())
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@orderflow.example>")
    assert first["Date"] == second["Date"]
    assert text(first) == text(second)


def test_the_date_is_when_the_command_was_sent() -> None:
    assert about("order_confirmed", confirmed())["Date"].datetime == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_mail_can_be_told_from_one_by_a_person_and_names_its_order() -> None:
    mail = about("order_confirmed", confirmed())
    assert (mail["Auto-Submitted"], mail["X-OrderFlow-Order"]) == ("auto-generated", str(ORDER_ID))


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "expected"),
    [
        (125050, "EUR", "en", "€1,250.50"),
        (125050, "EUR", "pt", "1 250,50 €"),
        (1250, "JPY", "en", "¥1,250"),
        (1250, "KWD", "en", "KWD 1.250"),
        (1250, "RSD", "en", "RSD 12.50"),
        (0, "USD", "en", "$0.00"),
        (10**15, "EUR", "en", "€10,000,000,000,000.00"),
    ],
)
def test_money_has_the_decimals_of_its_currency_in_the_way_of_the_language(
    amount: int, currency: str, locale: Locale, expected: str
) -> None:
    assert money(Money(amount=amount, currency=currency), locale).replace("\xa0", " ") == expected


@pytest.mark.parametrize("past", [(), (confirmed(),)])
def test_without_the_beginning_of_the_order_there_is_no_mail(past: tuple[Event, ...]) -> None:
    command = NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=ORDER_ID)
    with pytest.raises(HistoryMissing):
        compose(sent(command), command, a_contact(), history(*past), SENDER)


def test_without_the_shipment_there_is_no_mail_about_it() -> None:
    command = NotifyCustomer(order_id=ORDER_ID, template="order_shipped", event_id=ORDER_ID)
    with pytest.raises(HistoryMissing):
        compose(sent(command), command, a_contact(), history(placed(), confirmed()), SENDER)


def test_shipped_goods_go_by_the_names_they_were_ordered_under() -> None:
    line = a_line(OTHER_SKU, 1, 3900).model_copy(update={"name": "Huila 1 kg"})
    past = history(placed(a_line(), line), confirmed(a_line(), line), shipped(a_pick(OTHER_SKU, 1), final=False))
    command = NotifyCustomer(order_id=ORDER_ID, template="order_shipped", event_id=past[-1].event_id)
    assert "1 x Huila 1 kg" in text(compose(sent(command), command, a_contact(), past, SENDER))
