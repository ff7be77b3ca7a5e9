import json
from typing import Any

import pytest

from infra.openapi import written
from query_api import openapi as query
from write_api import openapi as write


@pytest.mark.parametrize("api", [write, query], ids=["write", "query"])
def test_the_committed_document_is_what_the_api_serves(api: Any) -> None:  # noqa: ANN401  # a module
    assert api.EXPORT.read_text() == written(api.unconnected())


def test_every_command_says_how_it_can_be_refused_and_that_it_needs_a_token_and_a_key() -> None:
    paths = json.loads(write.EXPORT.read_text())["paths"]
    for operation in [methods["post"] for methods in paths.values() if "post" in methods]:
        assert operation["security"] == [{"token": []}]
        assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]
        assert {"400", "401", "403", "404", "409", "412", "413", "415", "422", "500", "503"} <= set(
            operation["responses"]
        )
