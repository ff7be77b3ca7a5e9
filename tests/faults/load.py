"""Customers who order while the platform is being killed, and who ask again when they got no answer."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import httpx

from infra.local.ready import Ready
from tests.acceptance.driver import Json, Person, Shop, order_body
from tests.running import until

CARDS = ("tok_visa", "tok_visa", "tok_slow", "tok_declined")
CUSTOMERS = 4
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    key: str
    body: Json


@dataclass
class Memory:
    """What the customers were told; `unanswered` are requests whose outcome nobody knows."""

    random: Random
    sku: str = ""
    answers: dict[str, bytes] = field(default_factory=dict)
    unanswered: list[Request] = field(default_factory=list)
    sent: dict[str, Request] = field(default_factory=dict)
    acknowledged: threading.Event = field(default_factory=threading.Event)

    def next_request(self, name: str) -> Request:
        card = self.random.choice(CARDS)
        body = order_body([(self.sku, 1)], card=card, locale="en", email=address(name))
        return Request(name, body)


def address(key: str) -> str:
    """Where the mail about a request's order goes."""
    return f"{key}@mail.example"


def send(customer: Person, memory: Memory, request: Request) -> None:
    """Send a request and remember how it went. The answer to a repeat must equal the first one."""
    memory.sent[request.key] = request
    try:
        answer = customer.post("/v1/orders", request.body, key=request.key)
    except httpx.HTTPError:
        memory.unanswered.append(request)
        return
    if answer.status_code in {500, 503}:
        memory.unanswered.append(request)
        return
    assert answer.status_code == 201, answer.text
    assert memory.answers.setdefault(request.key, answer.content) == answer.content
    memory.acknowledged.set()


@contextmanager
def ordering(ready: Ready, memory: Memory, round_name: str) -> Iterator[None]:
    """Customers order one after the other until the block ends; a killed platform ends their round."""
    over = threading.Event()

    def orders(number: int) -> None:
        with httpx.Client(timeout=20) as http:
            customer = Shop(http, ready, ready.tenant_id).customer("loyal")
            count = 0
            while not over.is_set() and not memory.unanswered:
                send(customer, memory, memory.next_request(f"{round_name}-{number}-{count}"))
                count += 1
                over.wait(PAUSE_SECONDS)

    memory.acknowledged.clear()
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        rounds = [pool.submit(orders, number) for number in range(CUSTOMERS)]
        try:
            yield
        finally:
            over.set()
    for finished in rounds:
        finished.result()


def ask_again(ready: Ready, memory: Memory, also: int) -> None:
    """Repeat every request without an answer, and a few that have one."""
    with httpx.Client(timeout=20) as http:
        customer = Shop(http, ready, ready.tenant_id).customer("loyal")
        answered = memory.random.sample(sorted(memory.answers), min(also, len(memory.answers)))
        pending, memory.unanswered = memory.unanswered, []
        for request in [*pending, *(memory.sent[key] for key in answered)]:
            send(customer, memory, request)
        assert not memory.unanswered, "a platform that is ready does not answer"


def until_decided(shop: Shop, count: int) -> dict[str, str]:
    """Wait until as many orders as there should be are all decided; gives the status of each."""

    def look() -> dict[str, str] | None:
        orders = dict(_all_orders(shop.customer("loyal")))
        return orders if len(orders) >= count and "placed" not in orders.values() else None

    return until(look, 90.0, pause=0.3)


def _all_orders(customer: Person) -> Iterator[tuple[str, str]]:
    place: dict[str, str | int] = {}
    while True:
        page = customer.get("/v1/orders", limit=200, **place)
        yield from ((row["order_id"], row["status"]) for row in page["items"])
        if not page["next_cursor"]:
            return
        place = {"cursor": page["next_cursor"]}
