"""The command line, run as its users run it; piped, so it answers in JSON."""

import json
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.acceptance.driver import Json, Shop
from tests.running import command, environment

SECONDS = 60


class CommandLine:
    def __init__(self, folder: Path, ready_file: Path) -> None:
        self._environment = {**environment(folder), "ORDERFLOW_READY_FILE": str(ready_file)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), env=self._environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def json(self, *arguments: str) -> Json:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        told: Json = json.loads(done.stdout)
        return told


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, ready_file: Path) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("cli"), ready_file)


def test_the_printed_curl_places_an_order_that_is_confirmed(shop: Shop) -> None:
    done = subprocess.run(["/bin/sh", "-c", shop.ready.curl], capture_output=True, text=True, timeout=20, check=True)
    placed = json.loads(done.stdout)
    shop.staff.until_status(placed["order_id"], "confirmed")
    (mail,) = shop.until_mails(placed["order_id"], 1)
    assert mail["subject"] == "A sua encomenda está confirmada"


def test_the_printed_curl_again_places_another_order(shop: Shop) -> None:
    runs = [subprocess.check_output(["/bin/sh", "-c", shop.ready.curl], text=True, timeout=20) for _ in range(2)]
    first, second = (json.loads(run)["order_id"] for run in runs)
    assert first != second


def test_an_order_is_placed_and_waited_for(shop: Shop, cli: CommandLine) -> None:
    sku = shop.product(price=800)
    placed = cli.json("order", "place", f"{sku}:3", "--wait")
    assert (placed["status"], placed["total"]["amount"]) == ("confirmed", 2_400)


def test_an_order_is_shown_with_what_happened(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    shown = cli.json("order", "show", str(order_id))
    assert shown["status"] == "confirmed"
    assert shown["timeline"][0]["kind"] == "order.placed.v1"


def test_orders_are_listed_the_newest_first(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    assert cli.json("order", "list", "--limit", "1")["items"][0]["order_id"] == str(order_id)


def test_an_order_is_cancelled(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    assert cli.json("order", "cancel", str(order_id))["status"] == "cancelled"


def test_a_table_is_for_people(cli: CommandLine) -> None:
    done = cli.run("order", "list", "--table")
    assert done.returncode == 0
    assert done.stdout.lstrip().startswith("Orders")


def test_an_order_that_is_not_there_is_refused_with_its_own_exit_code(cli: CommandLine) -> None:
    done = cli.run("order", "show", str(uuid4()))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("Refused:")


def test_a_wrong_option_is_wrong_usage(cli: CommandLine) -> None:
    assert cli.run("order", "list", "--limit", "0").returncode == 2


def test_without_a_platform_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    done = subprocess.run(
        command("order", "list"), env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "orderflow up" in done.stderr


def test_events_are_shown_without_personal_fields(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    told = cli.run("events", "show", str(order_id)).stdout
    placed = json.loads(told.splitlines()[0])
    assert placed["event"]["type"] == "order.placed.v1"
    assert set(placed["event"]["contact"].values()) == {"***"}


def test_personal_fields_are_shown_when_asked_for(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)], email="asked@mail.example")
    assert "asked@mail.example" in cli.run("events", "show", str(order_id), "--reveal").stdout


def test_the_newest_events_are_told_the_oldest_first(cli: CommandLine) -> None:
    lines = cli.run("events", "tail", "--limit", "5").stdout.splitlines()
    positions = [json.loads(line)["position"] for line in lines]
    assert len(positions) == 5
    assert positions == sorted(positions)


def test_a_minted_token_opens_what_its_scopes_allow(shop: Shop, cli: CommandLine) -> None:
    token = cli.run("token", "--subject", "reader", "--scope", "orders:read").stdout.strip()
    headers = {"authorization": f"Bearer {token}"}
    assert shop.http.get(f"{shop.ready.query_url}/v1/orders", headers=headers).status_code == 200
    assert shop.http.get(f"{shop.ready.query_url}/v1/stock", headers=headers).status_code == 403


def test_the_doctor_finds_a_running_platform_well(cli: CommandLine) -> None:
    done = cli.run("doctor")
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, findings
    assert {finding["state"] for finding in findings} <= {"good", "look"}
    assert {"write API", "query API", "parked messages"} <= {finding["subject"] for finding in findings}
    assert all(finding["remedy"] for finding in findings if finding["state"] != "good")
