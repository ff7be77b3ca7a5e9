"""Customers and staff at work while the platform is being hurt, who ask again when they got no answer; and a reader."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic, sleep, time
from typing import Any

import httpx

from infra.local.ready import Ready
from tests.acceptance.driver import Json, Person, Shop, order_body
from tests.faults.history import Call, CommandKind, History, Look, Outcome, hashed, request_id

CARDS = ("tok_visa", "tok_visa", "tok_slow", "tok_declined", "tok_lost_answer")
CUSTOMERS = 4
AGAIN_SECONDS = 0.2
LATEST_SECONDS = 60.0
_KINDS: Sequence[CommandKind] = ("place", "ship", "deliver", "refund", "cancel")
_WEIGHTS = (65, 13, 9, 7, 6)
_REPEATED = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    kind: CommandKind
    key: str
    path: str
    body: Json


@dataclass
class Crowd:
    """What is asked follows from the seed and from what was answered; what was answered is in the history."""

    history: History
    seed: int
    rate: float = 40.0
    """Commands per second of all together."""
    cards: Sequence[str] = CARDS
    sku: str = ""
    orders: list[str] = field(default_factory=list)
    shipments: list[tuple[str, str]] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    sent: dict[str, Request] = field(default_factory=dict)
    unanswered: list[Request] = field(default_factory=list)
    acknowledged: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self, ready: Ready, round_name: str) -> Iterator[None]:
        """Everybody acts until the block ends; who has no answer then asks in `ask_again`."""
        over = threading.Event()
        self.acknowledged.clear()
        with ThreadPoolExecutor(CUSTOMERS + 1) as pool:
            acting = [pool.submit(self._act, ready, f"{round_name}-{number}", over) for number in range(CUSTOMERS)]
            acting.append(pool.submit(self._look, ready, round_name, over))
            try:
                yield
            finally:
                over.set()
        for ended in acting:
            ended.result()

    def ask_again(self, ready: Ready, *, also: int = 0) -> None:
        """Repeat every request without an answer, until there is one, and a few that have one."""
        with httpx.Client(timeout=20) as http:
            pending, self.unanswered = self.unanswered, []
            some = Random(f"{self.seed}/{len(self.sent)}").sample(sorted(self.sent), min(also, len(self.sent)))
            end = monotonic() + LATEST_SECONDS
            for request in [*pending, *(self.sent[key] for key in some)]:
                while self._send(Shop(http, ready, ready.tenant_id), request) == "unknown":
                    assert monotonic() < end, "a platform that is ready does not answer"
                    sleep(AGAIN_SECONDS)

    def _act(self, ready: Ready, name: str, over: threading.Event) -> None:
        random = Random(f"{self.seed}/{name}")
        with httpx.Client(timeout=10) as http:
            shop, count = Shop(http, ready, ready.tenant_id), 0
            while not over.is_set():
                request = self._next(random, f"{name}-{count}")
                count += 1
                while self._send(shop, request) == "unknown":
                    if over.wait(AGAIN_SECONDS):
                        self.unanswered.append(request)
                        return
                if random.random() < _REPEATED and request.key in self.sent:
                    self._send(shop, request)
                over.wait(CUSTOMERS / self.rate)

    def _next(self, random: Random, key: str) -> Request:
        """Choose what to ask; of what there is nothing for yet becomes an order."""
        (kind,) = random.choices(_KINDS, _WEIGHTS)
        if kind == "deliver" and self.shipments:
            order_id, shipment_id = random.choice(self.shipments)
            return Request(kind, key, f"/v1/orders/{order_id}/shipments/{shipment_id}/delivery", {})
        if kind == "refund" and self.delivered:
            amount = {"amount": random.randint(1, 900), "currency": "EUR"}
            path = f"/v1/orders/{random.choice(self.delivered)}/refunds"
            return Request(kind, key, path, {"amount": amount, "reason": "damaged"})
        if kind == "cancel" and self.orders:
            return Request(kind, key, f"/v1/orders/{random.choice(self.orders[-40:])}/cancellation", {})
        if kind == "ship" and self.orders:
            path = f"/v1/orders/{random.choice(self.orders[-40:])}/shipments"
            return Request(kind, key, path, {"carrier": "Correio"})
        lines = [(self.sku, random.randint(1, 3))]
        body = order_body(lines, card=random.choice(self.cards), locale="en", email=address(key))
        return Request("place", key, "/v1/orders", body)

    def _send(self, shop: Shop, request: Request) -> Outcome:
        who = shop.customer("loyal") if request.kind in ("place", "cancel") else shop.staff
        start, content = time(), b""
        named = str(request_id(request.key))
        try:
            answer = who.post(request.path, request.body, key=request.key, x_request_id=named)
            status, content = answer.status_code, answer.content
        except httpx.HTTPError:
            status = 0
        outcome: Outcome = "unknown" if status == 0 or status >= 500 else "done" if status < 300 else "refused"
        said: Json = httpx.Response(status, content=content).json() if outcome == "done" else {}
        call = Call(
            request.kind,
            request.key,
            start,
            time(),
            outcome,
            status,
            hashed(f"{request.path} {request.body}".encode()),
            hashed(content) if outcome == "done" else "",
            said.get("order_id", ""),
            said.get("position", 0),
            said.get("version", 0),
        )
        self.history.add(call)
        if outcome == "done":
            self._remember(request, said)
        return outcome

    def _remember(self, request: Request, said: dict[str, Any]) -> None:
        self.acknowledged.set()
        if self.sent.setdefault(request.key, request) is not request:
            return
        if request.kind == "place":
            self.orders.append(said["order_id"])
        if request.kind == "ship":
            self.shipments.append((said["order_id"], said["shipment_id"]))
        if request.kind == "deliver":
            self.delivered.append(said["order_id"])

    def _look(self, ready: Ready, name: str, over: threading.Event) -> None:
        """Read in turns what a shop's page would show, and note which version of it was seen."""
        random = Random(f"{self.seed}/{name}/reader")
        with httpx.Client(timeout=5) as http:
            staff = Shop(http, ready, ready.tenant_id).staff
            while not over.wait(0.02):
                with suppress(httpx.HTTPError):
                    for row, version, position in self._seen(staff, random):
                        self.history.add(Look("reader", row, time(), version, position))

    def _seen(self, staff: Person, random: Random) -> Iterator[tuple[str, int, int]]:
        what = random.choice(("order", "order", "orders", "stock", "dashboard", "dashboard"))
        if what == "order" and self.orders:
            answer = staff.ask(f"/v1/orders/{random.choice(self.orders[-20:])}")
            rows = [answer.json()] if answer.is_success else []
        elif what == "stock":
            answer = staff.ask(f"/v1/stock/{self.sku}")
            rows = [answer.json()] if answer.is_success else []
        elif what == "dashboard":
            answer = staff.ask("/v1/dashboard")
            if answer.is_success:
                yield "dashboard", answer.json()["position"], answer.json()["position"]
            return
        else:
            answer = staff.ask("/v1/orders", limit=20)
            rows = answer.json()["items"] if answer.is_success else []
        for row in rows:
            yield f"{what} {row.get('order_id', self.sku)}", row["version"], row["position"]


def address(key: str) -> str:
    """Where the mail about a request's order goes."""
    return f"{key}@mail.example"
