"""Somebody audits a shop: sees its orders, is shown a contact for a reason, and leaves a record of both."""

from typing import Final

from tests.acceptance.driver import Shop

REASON: Final = "complaint 4711: parcel never came"


def test_an_auditor_sees_a_contact_for_a_reason_and_staff_see_that(shop: Shop) -> None:
    customer = shop.customer()
    order_id = customer.place([(shop.product(), 1)])
    contact = customer.until_status(order_id, "confirmed")["contact"]
    auditor, url = shop.holder("rita", ("audit:read",)), f"{shop.ready.query_url}/v1/orders/{order_id}"
    masked = auditor.order(order_id)
    assert (masked["contact"], masked["masked"]) == (None, True)
    headers = {"authorization": f"Bearer {auditor.token}", "reveal-reason": REASON}
    shown = shop.http.get(url, headers=headers).json()
    assert (shown["contact"], shown["masked"]) == (contact, False)
    assert auditor.post(f"/v1/orders/{order_id}/cancellation").status_code == 403

    looks = shop.staff.get("/v1/audit/looks", order_id=str(order_id))["items"]
    assert [(look["subject"], look["reason"]) for look in looks] == [("rita", REASON), ("rita", None)]
