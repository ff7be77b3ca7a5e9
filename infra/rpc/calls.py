"""What happens around every call: it is checked, bounded in time, and ends with an answer or a problem of ours."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import grpc
import protovalidate
from google.protobuf.message import DecodeError, Message

from infra.auth import Auth, Caller, Scope
from infra.problems import MAX_ERRORS, Problem
from infra.rpc.refusing import Context, refuse
from infra.trace import id_given, trace_given
from schemas.base import Trace

MOST_SECONDS: Final = 30.0
"""The longest that a unary call may take, whatever deadline the client gave or forgot."""

_log: Final = logging.getLogger(__name__)
_VALIDATOR: Final = protovalidate.Validator()
_CALL: Final[ContextVar["Call"]] = ContextVar("call")
Admit = Callable[["Call"], Awaitable[Caller | None]]
M = TypeVar("M", bound=Message)
Names = Callable[[Exception], Problem | None]


@dataclass(frozen=True, slots=True)
class Call:
    """What came with a call beside its message."""

    request_id: UUID
    metadata: Mapping[str, Sequence[str]]
    caller: Caller | None = None

    def given(self, name: str) -> Sequence[str]:
        """Give every value of a metadata key, in lower case; most often one or none."""
        return self.metadata.get(name, ())

    @property
    def trace(self) -> Trace:
        """What the events of this call carry."""
        return trace_given(self.request_id, next(iter(self.given("traceparent")), None))


def current() -> Call:
    """Give the call that is being served."""
    return _CALL.get()


def caller(*scopes: Scope) -> Caller:
    """Give who calls; raises the 403 problem without one of `scopes`, where there are any."""
    found = current().caller
    if found is None:
        raise Problem(401)
    if scopes:
        found.require(*scopes)
    return found


def checked(message: M | None) -> M:
    """Give the message; raises the problem of one that cannot be read (None) or that breaks a rule of its contract."""
    if message is None:
        raise Problem(400, "malformed-message", "The message is not of the type that this method takes.")
    if violations := _VALIDATOR.collect_violations(message):
        raise Problem(422, errors=[_place_and_rule(each.proto) for each in violations[:MAX_ERRORS]])
    return message


async def _anybody(_: Call) -> Caller | None:
    return None


class Guarded(grpc.aio.ServerInterceptor):
    """Wraps every method. `named` gives the problem that an exception stands for; any other is logged and hidden.

    Methods of the `guarded` services are for callers whom `auth` knows, before anything of the message is looked at.
    """

    def __init__(self, guarded: Iterable[str], auth: Auth, named: Names) -> None:
        self._guarded = frozenset(guarded)
        self._auth = auth
        self._named = named
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401  # a handler of grpc, or None for a method that there is not
        method = handler_call_details.method
        if method not in self._wrapped and (handler := await continuation(handler_call_details)) is not None:
            self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped.get(method)

    def _wrap(self, method: str, handler: Any) -> Any:  # noqa: ANN401  # handlers of grpc
        reading = _reading(handler.request_deserializer)
        service = method.split("/")[1]
        admit = self._known if service in self._guarded else _anybody
        if handler.unary_unary:
            unary = self._unary(handler.unary_unary, admit)
            return grpc.unary_unary_rpc_method_handler(unary, reading, handler.response_serializer)
        if handler.stream_unary:
            taking = self._taking(handler.stream_unary, admit)
            return grpc.stream_unary_rpc_method_handler(taking, reading, handler.response_serializer)
        if handler.unary_stream:
            giving = self._giving(handler.unary_stream, admit)
            return grpc.unary_stream_rpc_method_handler(giving, reading, handler.response_serializer)
        return handler

    async def _known(self, call: Call) -> Caller | None:
        return await self._auth.of_authorization(call.given("authorization"))

    def _unary(self, method: Callable[..., Awaitable[Any]], admit: Admit) -> Callable[..., Awaitable[Any]]:
        async def serve(request: Message | None, context: Context) -> Any:  # noqa: ANN401
            call = _began(context)
            try:
                _CALL.set(replace(call, caller=await admit(call)))
                asked = checked(request)
                async with asyncio.timeout(MOST_SECONDS):
                    return await method(asked, context)
            except Exception as error:  # noqa: BLE001  # the outermost of a call
                await self._fail(context, call, error)

        return serve

    def _taking(self, method: Callable[..., Awaitable[Any]], admit: Admit) -> Callable[..., Awaitable[Any]]:
        async def serve(requests: AsyncIterator[Message | None], context: Context) -> Any:  # noqa: ANN401
            call = _began(context)
            try:
                _CALL.set(replace(call, caller=await admit(call)))
                return await method(requests, context)
            except Exception as error:  # noqa: BLE001  # the outermost of a call
                await self._fail(context, call, error)

        return serve

    def _giving(self, method: Callable[..., AsyncIterator[Any]], admit: Admit) -> Callable[..., AsyncIterator[Any]]:
        async def serve(request: Message | None, context: Context) -> AsyncIterator[Any]:
            call = _began(context)
            try:
                _CALL.set(replace(call, caller=await admit(call)))
                async for answer in method(checked(request), context):
                    yield answer
            except Exception as error:  # noqa: BLE001  # the outermost of a call
                await self._fail(context, call, error)

        return serve

    async def _fail(self, context: Context, call: Call, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        await refuse(context, told(error, self._named), call.request_id)


def told(error: Exception, named: Names) -> Problem:
    """Give the problem that the caller is told of; a fault of ours is logged, and says nothing."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TimeoutError):
        return Problem(504)
    if problem := named(error):
        return problem
    _log.error("call %s failed", current().request_id, exc_info=error)
    return Problem(500)


def _began(context: Context) -> Call:
    metadata = defaultdict[str, list[str]](list)
    for key, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            metadata[key].append(value)
    call = Call(id_given(next(iter(metadata.get("x-request-id", ())), None)), dict(metadata))
    _CALL.set(call)
    return call


def _reading(deserializer: Callable[[bytes], Message] | None) -> Callable[[bytes], Message | None]:
    """Give None for what cannot be read: grpc would answer an error with its text."""

    def read(data: bytes) -> Message | None:
        try:
            return cast("Callable[[bytes], Message]", deserializer)(data)
        except DecodeError:
            return None

    return read


def _place_and_rule(violation: Any) -> tuple[str, str]:  # noqa: ANN401  # buf.validate.Violation
    pointer = ""
    for element in violation.field.elements:
        pointer += f"/{element.field_name}"
        if element.subscript is not None:
            pointer += f"/{element.subscript.value}"
    return pointer, violation.message or "is required"
