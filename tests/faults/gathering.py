"""Gathers the evidence about a platform that is at rest."""

import asyncio
from collections.abc import Iterator, Sequence
from random import Random
from uuid import UUID

import httpx
import psycopg

from infra.event_log import Stored
from infra.local.acquirer_ledger import Entry
from infra.local.caught_mail import Mail
from infra.local.ready import Ready
from schemas.events.order import OrderPlaced
from schemas.ids import new_id
from tests.acceptance.driver import Person, Shop
from tests.faults.evidence import DeadLetter, Evidence, Recovery, Told
from tests.faults.folding import WANTED, dashboard_of, kept_and_folded, shown_dashboard
from tests.faults.history import History
from tests.faults.platform import Platform, read_log
from tests.vault import contacts_in

STRANGER = "another-tenant"
_SAMPLED = 25
_APPLIED = "SELECT subscription, stream_id, version FROM subscription_versions"
_DEAD = (
    "SELECT kind, consumer, stream_id, version, message_id, body IS NOT NULL, error, attempts, status FROM dead_letters"
)
_PHASES = "SELECT process_id::text, phase FROM processes"
_LISTS = (
    "/v1/orders?limit=200",
    "/v1/products?limit=200",
    "/v1/stock?limit=200",
    "/v1/processes?limit=200",
    "/v1/sales/products",
    "/v1/dashboard",
)


def gather(platform: Platform, history: History, *, recovery: Recovery | None = None, resends: int = 0) -> Evidence:
    """Look at everything from outside; nothing is changed."""
    ready, dsn = platform.ready, platform.dsn
    log = read_log(dsn)
    secret = ready.data_dir / "keys" / "vault"
    views, fold = kept_and_folded(dsn, secret, log)
    contacts = asyncio.run(contacts_in(dsn, secret, log))
    addresses = sorted({contact.email for contact in contacts.values() if contact})
    placed = [stored for stored in log if isinstance(stored.recorded.event, OrderPlaced)]
    sample = Random(len(log)).sample([stored.stream_id for stored in placed], min(_SAMPLED, len(placed)))
    with psycopg.connect(dsn) as connection, httpx.Client(timeout=20) as http:
        ours, theirs = (Shop(http, ready, tenant).holder("auditor") for tenant in (ready.tenant_id, STRANGER))
        answer = ours.ask("/v1/dashboard")
        assert answer.status_code != httpx.codes.SERVICE_UNAVAILABLE, "promise 8: the live figures are still away"
        assert answer.is_success, answer.text
        dashboard = answer.json()
        return Evidence(
            calls=history.calls(),
            looks=history.looks(),
            log=log,
            topics=platform.topics(),
            views=views,
            fold=fold,
            dashboard=shown_dashboard(dashboard),
            dashboard_fold=dashboard_of(log, fold["order_summaries"], ready.tenant_id, dashboard),
            answers=[_told(ours, f"/v1/orders/{order_id}") for order_id in sample],
            applied={(name, stream_id): version for name, stream_id, version in connection.execute(_APPLIED)},
            wanted=WANTED,
            dead=[DeadLetter(*row) for row in connection.execute(_DEAD)],
            waiting={**_outbox(connection), **platform.queues()},
            phases=dict(connection.execute(_PHASES).fetchall()),
            ledger=_ledger(http, ready),
            mails=list(_mails(http, ready, addresses)),
            resends=resends,
            recovery=recovery,
            strangers=list(_asked_by(theirs, sample)),
            unknown=_told(theirs, f"/v1/orders/{new_id()}"),
            secrets=_secrets(placed, addresses),
        )


def _outbox(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute("SELECT 'outbox ' || queue, count(*) FROM outbox GROUP BY queue").fetchall()
    return {name: int(count) for name, count in rows}


def _ledger(http: httpx.Client, ready: Ready) -> list[Entry]:
    entries = http.get(f"{ready.acquirer_url}/ledger").json()["entries"]
    return [Entry.model_validate(entry) for entry in entries]


def _mails(http: httpx.Client, ready: Ready, addresses: Sequence[str]) -> Iterator[Mail]:
    for address in addresses:
        found = http.get(f"{ready.mail_url}/messages", params={"to": address}).json()["messages"]
        yield from map(Mail.model_validate, found)


def _asked_by(stranger: Person, order_ids: Sequence[UUID]) -> Iterator[Told]:
    for order_id in order_ids:
        yield _told(stranger, f"/v1/orders/{order_id}")
        yield _told(stranger, f"/v1/orders/{order_id}/timeline")
    for path in _LISTS:
        yield _told(stranger, path)


def _told(person: Person, path: str) -> Told:
    answer = person.http.get(person.ready.query_url + path, headers={"authorization": f"Bearer {person.token}"})
    return Told(path, answer.status_code, answer.content)


def _secrets(placed: Sequence[Stored], addresses: Sequence[str]) -> frozenset[bytes]:
    found = set(addresses)
    for stored in placed:
        event = stored.recorded.event
        if isinstance(event, OrderPlaced):
            found |= {str(stored.stream_id), *(line.sku for line in event.lines)}
    return frozenset(each.encode() for each in found)
