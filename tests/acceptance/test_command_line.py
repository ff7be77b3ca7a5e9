"""The command line, run as its users run it; piped, so it answers in JSON."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from infra.local.ready import Ready
from schemas.ids import payment_id
from tests.acceptance.driver import Json, Shop
from tests.running import command, environment, until

ROOT = Path(__file__).parents[2]
SECONDS = 60
NOBODY = str(UUID(int=7))


class CommandLine:
    def __init__(self, folder: Path, ready_file: Path) -> None:
        self._environment = {**environment(folder), "ORDERFLOW_READY_FILE": str(ready_file)}

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**self._environment, **settings}
        return subprocess.run(
            command(*arguments), env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def json(self, *arguments: str) -> Json:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        told: Json = json.loads(done.stdout)
        return told


@pytest.fixture(scope="module")
def shop(ready: Ready, http: httpx.Client) -> Shop:
    """Without a choice of the way in: the command line has its own."""
    return Shop(http, ready, ready.tenant_id)


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
    assert shown["timeline"][0]["kind"] == "order.placed.v2"


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


@pytest.mark.parametrize("words", [("list", "--limit", "0"), ("show", "nonsense"), ("diff", "nonsense")])
def test_a_wrong_option_is_wrong_usage(cli: CommandLine, words: tuple[str, ...]) -> None:
    assert cli.run("order", *words).returncode == 2


def test_doctor_knows_the_ports_of_the_running_platform(shop: Shop, cli: CommandLine) -> None:
    write, query = (at.rpartition(":")[2] for at in (shop.ready.write_grpc, shop.ready.query_grpc))
    done = cli.run("doctor", ORDERFLOW_WRITE_GRPC_PORT=write, ORDERFLOW_QUERY_GRPC_PORT=query)
    seen = {found["subject"]: found["seen"] for found in map(json.loads, done.stdout.splitlines())}
    assert {seen[f"port {port}"] for port in (write, query)} == {"used by the running platform"}


@pytest.mark.parametrize("words", [("order", "list"), ("token",), ("events", "tail")])
def test_without_a_platform_the_command_says_how_to_start_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(command(*words), env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "orderflow up" in done.stderr


def test_events_are_shown_without_personal_fields(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    told = cli.run("events", "show", str(order_id)).stdout
    placed = json.loads(told.splitlines()[0])
    assert placed["event"]["type"] == "order.placed.v2"
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


def test_what_auditors_looked_at_is_listed_and_proved(shop: Shop, cli: CommandLine) -> None:
    token = cli.run("token", "--subject", "rita", "--scope", "audit:read").stdout.strip()
    order_id = cli.json("order", "place", shop.product())["order_id"]
    shop.staff.until_status(order_id, "confirmed")
    assert cli.json("order", "--token", token, "show", order_id)["masked"]
    table = cli.run("audit", "looks", "--order", order_id, "--masked", "--table").stdout
    assert "rita" in table
    proved = cli.json("audit", "verify-looks")
    assert proved["well"]
    assert cli.json("audit", "verify-looks", "--held", proved["newest_hash"])["missing"] == []
    cut_off = cli.run("audit", "verify-looks", "--held", "ab" * 32, "--table")
    assert (cut_off.returncode, cut_off.stdout.startswith("CUT OFF")) == (1, True)
    refused = cli.run("audit", "looks", "--since", "yesterday")
    assert (refused.returncode, "query/since" in refused.stderr) == (3, True)


def test_the_doctor_finds_a_running_platform_well(cli: CommandLine) -> None:
    done = cli.run("doctor")
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, findings
    assert {finding["state"] for finding in findings} <= {"good", "look"}
    assert {"write API", "query API", "parked messages"} <= {finding["subject"] for finding in findings}
    assert all(finding["remedy"] for finding in findings if finding["state"] != "good")


def test_any_method_can_be_called_over_grpc(cli: CommandLine) -> None:
    assert "orderflow.commands.v1.OrderCommandService/PlaceOrder" in cli.run("rpc").stdout.split()
    assert len(cli.json("rpc", "ListProducts", '{"paging": {"limit": 1}}')["items"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("OrderCommandService/PlaceOrder", '{"lines": [{"sku": "x"}]}'), 3, "lines[0].sku"),
        (("NoSuchMethod",), 2, "There is no method NoSuchMethod"),
        (("ListOrders", '{"unknown": 1}'), 2, "unknown"),
        (("ListOrders", "{"), 2, "not JSON"),
        (("ListOrders", "--target", "127.0.0.1:1"), 4, "No answer: UNAVAILABLE"),
        (("ListOrders", "--token", "nonsense"), 3, "Refused: UNAUTHENTICATED"),
    ],
)
def test_what_is_wrong_with_a_call_is_said(cli: CommandLine, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = cli.run("rpc", *arguments)
    assert (done.returncode, said in " ".join(done.stderr.split())) == (code, True)


def test_a_call_is_made_with_the_token_of_the_settings(cli: CommandLine) -> None:
    done = cli.run("rpc", "ListOrders", ORDERFLOW_TOKEN="nonsense")
    assert (done.returncode, done.stdout) == (3, "")


def test_a_platform_signs_its_log_by_itself(shop: Shop) -> None:
    def given_away() -> set[Path]:
        return set((shop.ready.data_dir / "checkpoints").glob("checkpoint-*.txt"))

    before = given_away()
    shop.staff.place([(shop.product(), 1)])
    until(lambda: given_away() - before or None, seconds=90)


def test_evidence_of_an_order_is_proved_by_whoever_has_the_key(shop: Shop, cli: CommandLine, tmp_path: Path) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    assert cli.json("audit", "verify")["well"] is True
    exported = cli.json("audit", "export", "--order", str(order_id), "--out", str(tmp_path / "evidence"))
    key = cli.run("audit", "key").stdout.strip()
    proving = [sys.executable, "-I", str(tmp_path / "evidence" / "verify_bundle.py"), str(tmp_path / "evidence")]
    proved = subprocess.check_output([*proving, "--key", key], text=True, timeout=SECONDS)
    assert (exported["streams"], proved.startswith(f"PROVED: {exported['events']} events")) == (2, True)


def test_a_checkpoint_is_given_away_and_compared_with_later(shop: Shop, cli: CommandLine, tmp_path: Path) -> None:
    given = cli.json("audit", "checkpoint")
    held = tmp_path / "held.txt"
    held.write_text(given["checkpoint"])
    shop.staff.place([(shop.product(), 1)])
    verified = cli.json("audit", "verify", "--checkpoint", str(held), "--since", str(held))
    assert (verified["well"], verified["since"]) == (True, given["size"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("verify", "--since", "999999999"), 1, "The log keeps no checkpoint of 999999999 events."),
        (("verify", "--key", "a+b+c"), 1, "That is not a log's public key: one line such as ORIGIN+ID+KEY."),
        (("export",), 1, "Name what to export: --order, --customer, or --from with or without --until."),
        (("export", "--from", "999999999"), 1, "and none is 999999999."),
        (("export", "--order", "nonsense"), 2, "Input should be a valid UUID"),
        (("new-key", "/proc/log-key", "--origin", "log.example.com"), 1, "/proc/log-key cannot be written:"),
        (("new-key", "log-key", "--origin", "two words"), 1, "An origin has neither spaces nor plus signs"),
    ],
)
def test_what_is_wrong_with_an_audit_is_said(
    cli: CommandLine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = cli.run("audit", *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False)


def test_the_story_of_an_order_says_what_caused_what_and_what_is_waited_for(shop: Shop, cli: CommandLine) -> None:
    order_id = shop.staff.place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    shop.until_mails(order_id, 1)
    told = cli.json("order", "show", str(order_id), "--timeline")
    by_id = {entry["entry_id"]: entry for entry in told["story"]}
    (confirmed,) = [entry for entry in told["story"] if entry["name"] == "order.confirmed.v1"]
    causes = []
    while confirmed["caused_by"]:
        confirmed = by_id[confirmed["caused_by"]]
        causes.append(confirmed["name"])
    assert causes == [
        "order.confirm.v1",
        "payment.authorised.v1",
        "payment.record_authorisation.v1",
        "acquirer.authorise.v1",
        "payment.requested.v1",
        "payment.request.v1",
        "stock.reserved.v1",
        "stock.reserve.v1",
        "order.placed.v2",
        "user:staff",
    ]
    assert "order_fulfilment waits for the order to be shipped" in [each["for_what"] for each in told["waiting"]]
    table = cli.run("order", "show", str(order_id), "--timeline", "--table").stdout
    assert "Now order_fulfilment waits for the order to be shipped until" in table


def test_the_past_of_an_order_is_shown_and_compared(shop: Shop, cli: CommandLine) -> None:
    order_id = str(shop.staff.place([(shop.product(), 1)]))
    shop.staff.until_status(UUID(order_id), "confirmed")
    assert cli.json("order", "show", order_id, "--at", "1")["state"]["status"] == "placed"
    difference = cli.json("order", "diff", order_id)
    assert difference["patch"] == [{"op": "replace", "path": "/status", "value": "confirmed"}]
    said = cli.run("order", "diff", order_id, "--table").stdout
    assert said.splitlines()[1] == "  The status changed from placed to confirmed."


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "{}", "--at", "9"), 3),
        (("show", "{}", "--at", "2000-01-01T00:00:00Z"), 3),
        (("show", "{}", "--at", "yesterday"), 3),
        (("show", "{}", "--at", "1", "--timeline"), 2),
        (("show", "nothing", "--timeline"), 2),
        (("diff", "{}", "--to", "9"), 3),
        (("diff", NOBODY), 3),
        (("export-test", "nothing"), 2),
        (("export-test", NOBODY), 1),
    ],
    ids=str,
)
def test_a_point_or_an_order_that_there_is_not_is_said_in_a_line(
    shop: Shop, cli: CommandLine, arguments: tuple[str, ...], code: int
) -> None:
    order_id = str(shop.staff.place([(shop.product(), 1)]))
    done = cli.run("order", *(each.format(order_id) for each in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    assert code == 2 or len(done.stderr.splitlines()) == 1


def test_an_order_is_exported_as_a_test_that_passes(shop: Shop, cli: CommandLine, tmp_path: Path) -> None:
    order_id = shop.staff.place([(shop.product(), 1)], email="asked@mail.example")
    shop.staff.until_status(order_id, "confirmed")
    file = tmp_path / "test_exported.py"
    done = cli.run("order", "export-test", str(order_id), "--output", str(file))
    assert done.stdout == f"{file} holds 5 tests. Run it with: pytest {file}\n"
    assert "asked@mail.example" not in file.read_text()
    pytest_run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    ran = subprocess.run([*pytest_run, str(file)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, "5 passed" in ran.stdout) == (0, True), ran.stdout
    again = cli.run("order", "export-test", str(order_id), "--output", str(file))
    assert (again.returncode, again.stdout) == (1, "")


def test_an_order_would_be_decided_as_it_was(shop: Shop, cli: CommandLine) -> None:
    """Others may differ: tests beside this one send commands that no process asked for."""
    order_id = shop.staff.place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    done = cli.run("replay", "--decide", "--grace", "0")
    assert done.returncode in {0, 1}, done.stderr
    differing = {json.loads(line)["stream_id"] for line in done.stdout.splitlines()}
    assert differing.isdisjoint({str(order_id), str(payment_id(order_id))})


def test_orders_and_figures_are_shown_as_of_an_instant(shop: Shop, cli: CommandLine) -> None:
    order_id = str(shop.staff.place([(shop.product(), 1)]))
    shop.staff.until_status(UUID(order_id), "confirmed")
    then = datetime.now(UTC).isoformat()
    cli.json("order", "cancel", order_id)
    listed = cli.json("order", "list", "--search", order_id, "--as-of", then)
    assert [(each["order_id"], each["status"]) for each in listed["items"]] == [(order_id, "confirmed")]
    figures = cli.json("figures", "--as-of", then)
    recent = {each["order_id"]: each["status"] for each in figures["recent_orders"]}
    assert recent[order_id] == "confirmed"
    refused = cli.run("order", "list", "--as-of", "2999-01-01T00:00:00Z")
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)
    assert refused.stderr.endswith("query/as_of has not come yet\n")
