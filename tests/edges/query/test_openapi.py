"""The document says what the API does, and the API does what the document says."""

from infra.openapi import written
from query_api.openapi import EXPORT, unconnected


def test_the_exported_document_has_not_drifted() -> None:
    assert EXPORT.read_text() == written(unconnected())


def test_every_read_says_what_it_refuses() -> None:
    paths = unconnected().openapi()["paths"]
    for path, operations in paths.items():
        if path.startswith("/v1/"):
            assert {"200", "401", "403", "422", "503"} <= set(operations["get"]["responses"]), path
