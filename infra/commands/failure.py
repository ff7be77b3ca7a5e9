"""How a command ends that could not do what it was asked."""

from typing import Final, Literal

FAILED: Final = 1
REFUSED: Final = 3
UNREACHABLE: Final = 4


class Failure(Exception):  # noqa: N818 - says what happened and what to do next, for a person
    """One or two sentences, shown without a traceback."""

    def __init__(self, sentence: str, exit_code: Literal[1, 3, 4] = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
