from html.parser import HTMLParser

import pytest

from tests.edges.query.platform import Shop
from tests.edges.query.streaming import listening
from tests.examples import TENANT, cancelled, confirmed, declined, requested, shipped, uuid

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture
def own(shop: Shop) -> Shop:
    """The tenant that the page is for."""
    return Shop(shop.platform, TENANT)


async def page(shop: Shop, path: str = "/") -> str:
    await shop.get("/v1/orders")
    answer = await shop.platform.client.get(path)
    assert answer.status_code == 200
    return answer.text


async def test_the_page_shows_recent_orders_and_links_each(own: Shop) -> None:
    order_id = await own.placed(name="Zoë O'Neil")
    html = await page(own)
    assert f'href="/orders/{order_id}"' in html
    assert "Zoë O&#39;Neil" in html
    assert 'class="badge is-placed"' in html


async def test_the_page_shows_nothing_of_another_tenant(own: Shop, rival: Shop) -> None:
    foreign = await rival.placed(name="Somebody Else")
    await own.placed()
    html = await page(own)
    assert "Somebody Else" not in html
    assert (await own.platform.client.get(f"/orders/{foreign}")).status_code == 404


async def test_an_order_page_shows_what_was_ordered_and_what_happened(own: Shop) -> None:
    order_id = await own.placed()
    await own.tell(confirmed(), order_id=order_id)
    await own.tell(shipped(), order_id=order_id)
    html = await page(own, f"/orders/{order_id}")
    for shown in ("Yirgacheffe 250 g", "€29.00", "Order confirmed", "CTT Expresso", "RR123456785PT", "user:ana"):
        assert shown in html


@pytest.mark.parametrize("name", [str(uuid("nobody")), "nonsense", "1"])
async def test_an_order_that_is_not_there_is_told_to_people_as_a_page(own: Shop, name: str) -> None:
    answer = await own.platform.client.get(f"/orders/{name}")
    assert answer.status_code == 404
    assert "There is no such order" in answer.text


async def test_a_cancelled_order_says_why(own: Shop) -> None:
    order_id = await own.placed()
    await own.tell(cancelled(reason="out_of_stock"), order_id=order_id)
    assert "Cancelled because not enough in stock." in await page(own, f"/orders/{order_id}")


async def test_a_declined_payment_says_why_and_what_may_help(own: Shop) -> None:
    order_id = await own.placed()
    await own.tell(requested(order_id=order_id))
    await own.tell(declined("expired_card", order_id=order_id))
    html = await page(own, f"/orders/{order_id}")
    assert "expired card" in html
    assert "Another card may do<" in html


async def test_what_people_write_is_shown_and_never_run(own: Shop) -> None:
    await own.placed(name="<script>alert(1)</script>")
    html = await page(own)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize("path", ["/", f"/orders/{uuid('nobody')}", "/assets/console.js", "/assets/console.css"])
async def test_nothing_from_elsewhere_and_nothing_inline_may_run(own: Shop, path: str) -> None:
    answer = await own.platform.client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


class Parts(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


async def test_a_page_keeps_the_policy_that_it_sends(own: Shop) -> None:
    order_id = await own.placed()
    for path in ("/", f"/orders/{order_id}"):
        parts = Parts(await page(own, path))
        assert not [name for name, _ in parts.attributes if name == "style" or name.startswith("on")]
        assert all((value or "").startswith(("/", "#")) for name, value in parts.attributes if name in {"src", "href"})


async def test_a_page_has_landmarks_one_heading_and_a_polite_voice(own: Shop) -> None:
    parts = Parts(await page(own))
    assert [parts.tags.count(tag) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert ("lang", "en") in parts.attributes
    assert ("aria-live", "polite") in parts.attributes


@pytest.mark.parametrize("name", ["../pages.py", "..%2fpages.py", "console.html", "x", "%2e%2e%2fwords.py"])
async def test_no_other_file_is_served(own: Shop, name: str) -> None:
    assert (await own.platform.client.get(f"/assets/{name}")).status_code == 404


@pytest.mark.parametrize("path", ["/", f"/orders/{uuid('nobody')}", "/console/stream"])
@pytest.mark.parametrize("host", ["shop.example", "127.0.0.1.evil.example", ""])
async def test_a_foreign_name_for_this_machine_gets_nothing(own: Shop, path: str, host: str) -> None:
    answer = await own.platform.client.get(path, headers={"host": host})
    assert answer.status_code in {400, 404}


async def test_the_page_hears_of_changes_to_its_own_tenant(own: Shop, rival: Shop) -> None:
    async with listening(own.platform.client, "/console/stream", {}) as stream:
        await rival.placed()
        order_id = await own.placed()
        while (heard := await stream.event()).data["order_id"] != str(order_id):
            assert heard.data["position"] < own.position
    assert heard.event == "order"
