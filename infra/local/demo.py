"""Lives the demo through the public APIs: customers order and regret, staff ship, deliver and refund."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Final

from infra.auth import Scope
from infra.client import Api, Json, Refused, Unreachable
from infra.local.catalogue import CATALOGUE, seed
from infra.local.demo_plan import ENDS, PlannedOrder, plan

CUSTOMER: Final[tuple[Scope, ...]] = ("orders:write", "orders:read")
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 0.5
_MOST_AT_ONCE: Final = 100

TokenFor = Callable[[str], str]
"""Mints a customer's token."""


@dataclass(frozen=True, slots=True)
class Demo:
    orders: int = 300
    rate: float = 5.0
    """Orders a second."""
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Story:
    """One order from placing to its end. Keys come from the seed, so a second run of the same demo repeats nothing."""

    staff: Api
    customer: Api
    planned: PlannedOrder
    key: str

    async def live(self) -> str:
        """Give how it ended: the order's status, or `refused`."""
        try:
            placed = await self.customer.post("/v1/orders", self.planned.body, key=self.key)
            return await self._go_on(f"/v1/orders/{placed['order_id']}", placed)
        except Refused:
            return "refused"

    async def _go_on(self, path: str, placed: Json) -> str:
        if self.planned.fate == "regretted":
            await self.customer.post(f"{path}/cancellation", {}, key=f"{self.key}-regret")
        detail = await self._decided(path, placed["position"])
        if detail["status"] != "confirmed":
            return str(detail["status"])
        match self.planned.fate:
            case "called_off":
                await self.staff.post(f"{path}/cancellation", {"reason": "staff_decision"}, key=f"{self.key}-call-off")
            case "shipped":
                await self._ship(path, 1, None)
            case "delivered":
                await self._deliver(path, 1, None)
            case "in_parts":
                first = detail["lines"][0]
                await self._deliver(path, 1, [{"sku": first["sku"], "quantity": first["quantity"]}])
                await self._deliver(path, 2, None)
            case "refunded":
                await self._deliver(path, 1, None)
                await self._refund(path, detail)
            case _:
                pass
        ended = ENDS[self.planned.fate]
        seen = await self._seen(partial(self.staff.get, path), lambda detail: detail["status"] == ended)
        return str(seen["status"])

    async def _decided(self, path: str, position: int) -> Json:
        return await self._seen(
            partial(self.customer.get, path, min_position=position), lambda detail: detail["status"] != "placed"
        )

    async def _seen(self, look: Callable[[], Awaitable[Json]], enough: Callable[[Json], bool]) -> Json:
        """Look until it is enough, or until nobody would wait any longer."""
        until = monotonic() + _PATIENCE_SECONDS
        while True:
            detail = await look()
            if enough(detail) or monotonic() > until:
                return detail
            await asyncio.sleep(_LOOK_SECONDS)

    async def _ship(self, path: str, part: int, lines: list[Json] | None) -> str:
        await asyncio.sleep(_PAUSE_SECONDS)
        body: Json = {"carrier": "Correio Expresso", "tracking": f"CX{self.planned.number:06}-{part}"}
        if lines is not None:
            body["lines"] = lines
        shipped = await self.staff.post(f"{path}/shipments", body, key=f"{self.key}-ship-{part}")
        return str(shipped["shipment_id"])

    async def _deliver(self, path: str, part: int, lines: list[Json] | None) -> None:
        shipment_id = await self._ship(path, part, lines)
        await asyncio.sleep(_PAUSE_SECONDS)
        await self.staff.post(f"{path}/shipments/{shipment_id}/delivery", {}, key=f"{self.key}-deliver-{part}")

    async def _refund(self, path: str, detail: Json) -> None:
        """Money can be given back only after it was captured, which follows the shipment by itself."""
        await self._seen(partial(self.staff.get, path), lambda seen: seen["payment"]["captured"] > 0)
        line = detail["lines"][0]
        amount = {"amount": line["unit_price"], "currency": detail["total"]["currency"]}
        await self.staff.post(f"{path}/refunds", {"amount": amount, "reason": "damaged"}, key=f"{self.key}-refund")


async def play(demo: Demo, staff: Api, token_for: TokenFor, advance: Callable[[], None]) -> Counter[str]:
    """Place the orders at the rate asked for and see each through; gives how many ended how.

    Calls `advance` when an order has ended. Raises Refused or Unreachable when the catalogue cannot be filled.
    """
    await seed(staff, CATALOGUE)
    outcomes: Counter[str] = Counter()
    room = asyncio.Semaphore(_MOST_AT_ONCE)
    tokens: dict[str, str] = {}

    async def tell(planned: PlannedOrder) -> None:
        token = tokens.setdefault(planned.subject, "") or token_for(planned.subject)
        tokens[planned.subject] = token
        story = Story(staff, staff.as_holder_of(token), planned, f"demo-{demo.seed}-{planned.number}")
        try:
            outcomes[await story.live()] += 1
        except Unreachable:
            outcomes["unanswered"] += 1
        finally:
            room.release()
        advance()

    async with asyncio.TaskGroup() as stories:
        for planned in plan(demo.seed, demo.orders):
            await room.acquire()
            stories.create_task(tell(planned))
            await asyncio.sleep(1 / demo.rate)
    return outcomes
