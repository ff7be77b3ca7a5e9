"""What every gRPC service has, whatever it does: hidden faults, limits, health, reflection, TLS and a calm end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from pydantic import ValidationError

from domain.errors import DomainError
from infra.auth import Auth
from infra.jwks import Keys
from infra.rpc.refusing import Context
from infra.rpc.server import Services, serve_rpc
from infra.settings import Settings
from tests.edges.write.rpc import refused_as, told
from tests.waiting import eventually
from write_api.refusals import STATUS, problem_of

NAME = "orderflow.test.Echo"
Work = Callable[[str], Awaitable[str]]


@dataclass
class Echo:
    """A service that does what a test says, open to anybody."""

    work: Work
    away: Exception | None = None
    settings: Settings = field(default_factory=Settings)

    async def ready(self) -> None:
        if self.away is not None:
            raise self.away

    def add(self, server: grpc.aio.Server) -> None:
        async def say(request: StringValue, _: Context) -> StringValue:
            return StringValue(value=await self.work(request.value))

        handler = grpc.unary_unary_rpc_method_handler(
            say, request_deserializer=StringValue.FromString, response_serializer=StringValue.SerializeToString
        )
        server.add_registered_method_handlers(NAME, {"Say": handler})
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, {"Say": handler}),))

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        async def no_keys() -> bytes:
            return b'{"keys": []}'

        auth = Auth(Keys(no_keys), issuer="", audience="")
        services = Services(self.add, (), auth, problem_of, self.ready)
        async with serve_rpc(services, self.settings, 0) as address:
            yield address


async def say(channel: grpc.aio.Channel, word: str = "", timeout: float | None = None) -> str:  # noqa: ASYNC109
    call: Any = channel.unary_unary(
        f"/{NAME}/Say", request_serializer=StringValue.SerializeToString, response_deserializer=StringValue.FromString
    )
    answer = await call(StringValue(value=word), timeout=timeout)
    return str(answer.value)


async def same(word: str) -> str:
    return word


async def failing(error: Exception, _: str) -> str:
    raise error


async def test_a_fault_of_ours_is_told_without_a_word_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        Echo(partial(failing, RuntimeError("the secret 42"))).served() as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await say(channel)
    assert refused.value.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in str(refused.value) + str(told(refused.value))
    assert "the secret 42" in caplog.text


@pytest.mark.parametrize("refusal", STATUS, ids=lambda kind: kind.__name__)
async def test_every_refusal_has_the_pair_of_codes_in_the_table(refusal: type[DomainError]) -> None:
    status, code = STATUS[refusal]
    error = refusal(**{known.name: 7 for known in fields(refusal) if known.init})
    async with Echo(partial(failing, error)).served() as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await say(channel)
    assert refused.value.code() == code
    document = told(refused.value)
    assert (document["type"], document["status"]) == (f"/problems/{refusal.code}", status)
    assert document["detail"] == str(error)


async def test_a_call_without_a_deadline_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.rpc.calls.MOST_SECONDS", 0.05)

    async def never(_: str) -> str:
        await asyncio.Event().wait()
        return ""

    async with Echo(never).served() as address, grpc.aio.insecure_channel(address) as channel:
        with refused_as("DEADLINE_EXCEEDED", "deadline-exceeded"):
            await say(channel)


async def test_a_method_that_there_is_not_is_said_to_be_none() -> None:
    async with Echo(same).served() as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(f"/{NAME}/Sing")(b"")  # type: ignore[arg-type]  # bytes as they are
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_health_follows_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.rpc.server._LOOK_SECONDS", 0.02)
    echo = Echo(same)
    async with echo.served() as address, grpc.aio.insecure_channel(address) as channel:

        async def says(status: int) -> bool:
            stub: Any = HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
            return bool(answer.status == status)

        assert await says(health_pb2.HealthCheckResponse.SERVING)
        echo.away = TimeoutError()
        await eventually(partial(says, health_pb2.HealthCheckResponse.NOT_SERVING))
        echo.away = None
        await eventually(partial(says, health_pb2.HealthCheckResponse.SERVING))


@pytest.mark.parametrize("wanted", [True, False])
async def test_contracts_are_told_only_where_it_is_wanted(*, wanted: bool) -> None:
    echo = Echo(same, settings=Settings(grpc_reflection=wanted))
    async with echo.served() as address, grpc.aio.insecure_channel(address) as channel:
        stub: Any = ServerReflectionStub(cast("grpc.Channel", channel))
        call = stub.ServerReflectionInfo(iter([ServerReflectionRequest(list_services="")]))
        if wanted:
            (answer,) = [each async for each in call]
            assert "grpc.health.v1.Health" in {each.name for each in answer.list_services_response.service}
        else:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_reflection_is_off_unless_it_is_asked_for() -> None:
    assert Settings().grpc_reflection is False


async def test_a_call_under_way_is_finished_when_the_server_stops() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(word: str) -> str:
        begun.set()
        await go_on.wait()
        return word

    serving = AsyncExitStack()
    address = await serving.enter_async_context(Echo(wait).served())
    async with grpc.aio.insecure_channel(address) as channel:
        under_way = asyncio.create_task(say(channel, "done"))
        await begun.wait()
        stopping = asyncio.create_task(serving.aclose())
        await asyncio.sleep(0)
        go_on.set()
        assert await under_way == "done"
        await stopping


async def test_a_taken_port_is_said_to_be_taken() -> None:
    async with Echo(same).served() as address:
        port = int(address.rpartition(":")[2])
        services = Services(Echo(same).add, (), None, problem_of, same)  # type: ignore[arg-type]
        with pytest.raises(OSError, match=f"gRPC cannot listen on 127.0.0.1:{port}"):
            async with serve_rpc(services, Settings(), port):
                pass


@pytest.mark.parametrize(
    "given", [{"grpc_cert_file": "c.pem"}, {"grpc_key_file": "k.pem"}, {"grpc_client_ca_file": "ca.pem"}], ids=str
)
def test_a_certificate_without_its_key_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(given)


@dataclass(frozen=True)
class Identity:
    certificate: bytes
    key: bytes

    def write(self, folder: Path) -> dict[str, Path]:
        (folder / "cert.pem").write_bytes(self.certificate)
        (folder / "key.pem").write_bytes(self.key)
        return {"grpc_cert_file": folder / "cert.pem", "grpc_key_file": folder / "key.pem"}


def identity(name: str) -> Identity:
    """Make a certificate that vouches for itself, on this machine, for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), pem)


async def test_with_a_certificate_calls_are_encrypted_and_others_are_refused(tmp_path: Path) -> None:
    server = identity("server")
    echo = Echo(same, settings=Settings.model_validate(server.write(tmp_path)))
    trusted = grpc.ssl_channel_credentials(server.certificate)
    async with echo.served() as address:
        async with grpc.aio.secure_channel(address, trusted) as channel:
            assert await say(channel, "hello") == "hello"
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await say(channel, timeout=5)
        stranger = grpc.ssl_channel_credentials(identity("stranger").certificate)
        async with grpc.aio.secure_channel(address, stranger) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await say(channel, timeout=5)


async def test_with_an_authority_only_its_clients_are_served(tmp_path: Path) -> None:
    server, client, stranger = identity("server"), identity("client"), identity("stranger")
    (tmp_path / "clients.pem").write_bytes(client.certificate)
    files = {**server.write(tmp_path), "grpc_client_ca_file": tmp_path / "clients.pem"}
    async with Echo(same, settings=Settings.model_validate(files)).served() as address:
        known = grpc.ssl_channel_credentials(server.certificate, client.key, client.certificate)
        async with grpc.aio.secure_channel(address, known) as channel:
            assert await say(channel, "hello") == "hello"
        for credentials in (
            grpc.ssl_channel_credentials(server.certificate),
            grpc.ssl_channel_credentials(server.certificate, stranger.key, stranger.certificate),
        ):
            async with grpc.aio.secure_channel(address, credentials) as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await say(channel, timeout=5)
