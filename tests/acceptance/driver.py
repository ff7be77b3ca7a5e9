"""Drives a running platform through its public APIs alone, the way a shop's own programs would."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from infra.auth import SCOPES, Scope
from infra.issuer import mint
from infra.local.ready import Ready
from infra.settings import Settings
from schemas.ids import new_id, payment_id
from tests.running import until

Json = dict[str, Any]
CUSTOMER: tuple[Scope, ...] = ("orders:write", "orders:read")
CONTACT: Json = {"name": "Inês Carvalhosa", "address": "Largo da Fonte 8, 3000-214 Coimbra"}
LATEST_SECONDS = 30.0


@cache
def _token(keys: Path, tenant_id: str, subject: str, scopes: tuple[Scope, ...]) -> str:
    return mint(keys, Settings(), tenant_id=tenant_id, subject=subject, scopes=scopes)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token, who sees and does what its scopes allow."""

    http: httpx.Client
    ready: Ready
    token: str

    def post(self, path: str, body: Json | None = None, *, key: str | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"authorization": f"Bearer {self.token}", "idempotency-key": key or str(new_id()), **named}
        return self.http.post(self.ready.write_url + path, json=body or {}, headers=sent)

    def done(self, path: str, body: Json | None = None) -> Json:
        """Carry out a command that must be accepted."""
        answer = self.post(path, body)
        assert answer.is_success, answer.text
        done: Json = answer.json()
        return done

    def ask(self, path: str, **params: str | int) -> httpx.Response:
        return self.http.get(
            self.ready.query_url + path, params=params, headers={"authorization": f"Bearer {self.token}"}
        )

    def get(self, path: str, **params: str | int) -> Json:
        answer = self.ask(path, **params)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def place(
        self, lines: Sequence[tuple[str, int]], *, card: str = "tok_visa", locale: str = "en", email: str = ""
    ) -> UUID:
        body = order_body(lines, card=card, locale=locale, email=email or f"{new_id().hex}@mail.example")
        return UUID(self.done("/v1/orders", body)["order_id"])

    def order(self, order_id: UUID) -> Json:
        return self.get(f"/v1/orders/{order_id}")

    def until_order(self, order_id: UUID, *, enough: Callable[[Json], bool]) -> Json:
        """Look at an order until it is as expected."""

        def look() -> Json | None:
            answer = self.ask(f"/v1/orders/{order_id}")
            return answer.json() if answer.is_success and enough(answer.json()) else None

        return until(look, LATEST_SECONDS)

    def until_status(self, order_id: UUID, status: str) -> Json:
        return self.until_order(order_id, enough=lambda order: order["status"] == status)


def order_body(lines: Sequence[tuple[str, int]], *, card: str, locale: str, email: str) -> Json:
    return {
        "contact": {**CONTACT, "email": email},
        "locale": locale,
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        "payment_token": card,
    }


@dataclass(frozen=True, slots=True)
class Shop:
    """One tenant of a running platform. Every test lists products of its own, so none disturbs another."""

    http: httpx.Client
    ready: Ready
    tenant_id: str

    def holder(self, subject: str, scopes: tuple[Scope, ...] = SCOPES) -> Person:
        return Person(self.http, self.ready, _token(self.ready.data_dir / "keys", self.tenant_id, subject, scopes))

    @property
    def staff(self) -> Person:
        return self.holder("staff")

    def customer(self, subject: str = "") -> Person:
        return self.holder(subject or f"customer-{new_id().hex}", CUSTOMER)

    def product(self, price: int = 1_000, stock: int = 100, name: str = "Beans") -> str:
        """List a product with stock and give its SKU."""
        sku = f"T-{new_id().hex.upper()}"
        self.staff.done("/v1/products", {"sku": sku, "name": name, "price": {"amount": price, "currency": "EUR"}})
        if stock:
            self.staff.done(f"/v1/stock/{sku}/receipts", {"quantity": stock})
        return sku

    def stock(self, sku: str) -> tuple[int, int]:
        """Give what is on hand and how much of it is reserved."""
        level = self.staff.get(f"/v1/stock/{sku}")
        return level["on_hand"], level["reserved"]

    def until_stock(self, sku: str, expected: tuple[int, int]) -> None:
        def look() -> bool | None:
            seen = self.staff.ask(f"/v1/stock/{sku}").is_success  # a figure of stock may come later than the order
            return (seen and self.stock(sku) == expected) or None

        until(look, LATEST_SECONDS)

    def mails(self, order_id: UUID, email: str = "") -> list[Json]:
        """Give the mails about an order, the oldest first."""
        found = self.http.get(f"{self.ready.mail_url}/messages", params={"to": email} if email else None)
        mails = [mail for mail in found.json()["messages"] if mail["order_id"] == str(order_id)]
        return sorted(mails, key=lambda mail: int(mail["mail_id"]))

    def until_mails(self, order_id: UUID, count: int) -> list[Json]:
        def look() -> list[Json] | None:
            mails = self.mails(order_id)
            return mails if len(mails) >= count else None

        return until(look, LATEST_SECONDS)

    def open_mail(self, mail: Json) -> Json:
        opened: Json = self.http.get(f"{self.ready.mail_url}/messages/{mail['mail_id']}").json()
        return opened

    def ledger(self, order_id: UUID) -> list[tuple[str, int]]:
        """Give what the acquirer approved for an order: kinds and amounts."""
        entries = self.http.get(f"{self.ready.acquirer_url}/ledger").json()["entries"]
        payment = str(payment_id(order_id))
        ours = (entry for entry in entries if entry["payment_id"] == payment and entry["reference"])
        return [(entry["kind"], entry["amount"]) for entry in ours]
