"""Whether the process answers, and whether it can answer questions."""

from fastapi import APIRouter

from query_api.description import problem
from query_api.listing import Pool

_READY = "SELECT 1 FROM order_summaries LIMIT 1"


def health_routes(pool: Pool) -> APIRouter:
    """Routes for whoever watches the process."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @router.get("/readyz", responses={503: problem("The read models cannot be read.")})
    async def ready() -> dict[str, str]:
        """Tell that questions can be answered: the read models can be read."""
        await readable(pool)
        return {"status": "ok"}

    return router


async def readable(pool: Pool) -> None:
    """Raise psycopg.Error or PoolTimeout when the read models cannot be read."""
    async with pool.connection() as connection:
        await connection.execute(_READY)
