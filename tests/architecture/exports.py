"""Everything that is written from the code for others to read: `make contracts` writes it, `make check` compares it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.asyncapi import document
from query_api import openapi as query
from schemas.wire import schemas
from tests.architecture.catalogue import page
from tests.architecture.followers import followers
from write_api import openapi as write

ROOT: Final = Path(__file__).parents[2]
SCHEMAS: Final = ROOT / "schemas" / "json"
OPENAPI: Final = ROOT / "docs" / "openapi"


def exports() -> Mapping[Path, str]:
    """Give the text of each file."""
    return {
        OPENAPI / "write.json": written(write.unconnected().openapi()),
        OPENAPI / "query.json": written(query.unconnected().openapi()),
        **{SCHEMAS / f"{name}.json": written(schema) for name, schema in schemas().items()},
        ROOT / "docs" / "asyncapi.json": written(document(followers())),
        ROOT / "docs" / "catalogue.md": page(),
    }


def written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write_all() -> None:
    for path, text in exports().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_all()
