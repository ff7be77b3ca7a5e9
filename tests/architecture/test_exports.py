"""What others read is what the code says, and what they rely on is not broken."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.wire import COMMANDS, EVENTS, SUPERSEDED, schemas
from tests.architecture.changes import breaks
from tests.architecture.exports import OPENAPI, SCHEMAS, exports
from tests.architecture.published import published, published_names
from tests.schemas.corpus import GOLDEN

EXPORTS = exports()
MESSAGES = schemas()


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.name)
def test_the_committed_file_is_what_the_code_says(path: Path) -> None:
    assert path.exists(), f"{path.name} is missing: run `make contracts`"
    assert path.read_text(encoding="utf-8") == EXPORTS[path], (
        f"{path.name} has drifted from the code: run `make contracts`"
    )


def test_no_schema_is_left_of_a_form_that_is_gone() -> None:
    assert {path.name for path in SCHEMAS.glob("*.json")} == {f"{name}.json" for name in MESSAGES}


def test_no_published_message_has_changed() -> None:
    broken = [said for file in published_names(SCHEMAS) for said in _broken(file.removesuffix(".json"))]
    assert not broken, "\n".join(broken)


def _broken(name: str) -> list[str]:
    before = json.loads(published(SCHEMAS / f"{name}.json") or b"{}")
    return breaks(name, before, MESSAGES)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.v*.json")), ids=lambda file: file.stem)
def test_a_schema_takes_the_bytes_that_were_stored_or_sent(file: Path) -> None:
    Draft202012Validator(MESSAGES[file.stem]).validate(json.loads(file.read_bytes()))


@pytest.mark.parametrize("name", [*EVENTS, *SUPERSEDED, *COMMANDS])
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(MESSAGES[name])


def test_every_command_says_how_it_can_be_refused_and_that_it_needs_a_token_and_a_key() -> None:
    paths = json.loads(EXPORTS[OPENAPI / "write.json"])["paths"]
    for operation in [methods["post"] for methods in paths.values() if "post" in methods]:
        assert operation["security"] == [{"token": []}]
        assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]
        assert {"400", "401", "403", "404", "409", "412", "413", "415", "422", "500", "503"} <= set(
            operation["responses"]
        )
