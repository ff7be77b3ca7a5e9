from collections.abc import Iterator

from grpc import StatusCode

from domain.defects import Defect
from domain.errors import DomainError
from write_api.refusals import STATUS

_BLAMES_THE_CALLER = {
    StatusCode.ABORTED,
    StatusCode.ALREADY_EXISTS,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.INVALID_ARGUMENT,
    StatusCode.NOT_FOUND,
    StatusCode.OUT_OF_RANGE,
}


def every_kind(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for narrower in kind.__subclasses__():
        yield narrower
        yield from every_kind(narrower)


def test_every_refusal_has_a_status_and_no_defect_has_one() -> None:
    refusals = {kind for kind in every_kind(DomainError) if not issubclass(kind, Defect)}
    assert set(STATUS) == refusals


def test_every_refusal_is_answered_with_a_client_error() -> None:
    assert {status for status, _ in STATUS.values()} <= {404, 409, 412}
    assert {code for _, code in STATUS.values()} <= _BLAMES_THE_CALLER


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in every_kind(DomainError) if "code" in vars(kind)]
    assert len(codes) == len(set(codes))
