"""Export an API's OpenAPI document into the repository, or tell whether the exported one has drifted."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI


def written(app: FastAPI) -> str:
    """Give the document that `app` serves, as it is committed."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def export(app: FastAPI, path: Path, arguments: Sequence[str]) -> int:
    """Write the document to `path`; with `--check` among the arguments, only compare. Gives the exit status."""
    if "--check" in arguments:
        drifted = not path.exists() or path.read_text(encoding="utf-8") != written(app)
        sys.stderr.write(f"{path.name} has drifted from the code: export it again\n" if drifted else "")
        return int(drifted)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(app), encoding="utf-8")
    return 0
