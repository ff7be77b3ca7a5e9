"""The locks can be installed by uv, and by pip where uv cannot."""

import re
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PINS = re.compile(r"^([a-z0-9][^=\n]*)==", re.MULTILINE)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_an_extra_that_a_package_needs_is_pinned_with_it(lock: str) -> None:
    """Or pip, where it checks hashes, calls it not pinned and installs nothing."""
    pinned = {pin.name: pin.extras for pin in map(Requirement, PINS.findall((ROOT / lock).read_text()))}
    installed = [each for each in distributions() if each.name.lower().replace("_", "-") in pinned]
    needed = [Requirement(line) for each in installed for line in each.requires or ()]
    wanted = {
        (each.name, extra) for each in needed if not each.marker or each.marker.evaluate() for extra in each.extras
    }
    assert len(installed) > 30
    assert [each for each in wanted if each[1] not in pinned.get(each[0], set())] == []
