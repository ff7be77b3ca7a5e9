"""Kafka is spoken to as the settings say, by both of its clients."""

import ssl
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Producer
from faust.auth import SASLCredentials, SSLCredentials
from pydantic import SecretStr, ValidationError

from infra.kafka.faust_app import credentials
from infra.kafka.topics import client_settings
from infra.local.cluster import environment_of
from infra.settings import Settings


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ca")
    made = folder / "ca.pem"
    order = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    order += ["-subj", "/CN=orderflow test", "-keyout", str(folder / "key.pem"), "-out", str(made)]
    subprocess.run(order, check=True, capture_output=True)
    return made


def secure(ca_file: Path) -> Settings:
    return Settings(
        kafka_security="sasl_ssl",
        kafka_ca_file=ca_file,
        kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_user="shop",
        kafka_password=SecretStr("hidden"),
    )


def told(settings: Settings) -> dict[str, str]:
    known = client_settings(settings)
    Producer(known)  # refuses what it does not know
    return {name: value for name, value in known.items() if name.startswith(("security", "ssl", "sasl"))}


def test_plaintext_needs_nothing() -> None:
    assert told(Settings()) == {"security.protocol": "plaintext"}
    assert credentials(Settings()) is None


def test_librdkafka_is_told_whom_to_trust_and_who_we_are(ca_file: Path) -> None:
    assert told(secure(ca_file)) == {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(ca_file),
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "shop",
        "sasl.password": "hidden",
    }


def test_faust_is_told_the_same(ca_file: Path) -> None:
    given = credentials(secure(ca_file))
    assert isinstance(given, SASLCredentials)
    assert (given.protocol.value, given.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-256")
    assert (given.username, given.password) == ("shop", "hidden")
    assert given.ssl_context is not None
    assert len(given.ssl_context.get_ca_certs()) == 1
    assert given.ssl_context.verify_mode == ssl.CERT_REQUIRED


def test_a_password_without_tls_and_tls_without_a_password(ca_file: Path) -> None:
    open_line = credentials(secure(ca_file).model_copy(update={"kafka_security": "sasl_plaintext"}))
    assert isinstance(open_line, SASLCredentials)
    assert open_line.protocol.value == "SASL_PLAINTEXT"
    alone = credentials(Settings(kafka_security="ssl", kafka_ca_file=ca_file))
    assert isinstance(alone, SSLCredentials)
    assert alone.context.check_hostname


def test_processes_that_are_started_are_told(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = secure(ca_file)
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert client_settings(Settings()) == client_settings(settings)


@pytest.mark.parametrize("security", ["sasl_plaintext", "sasl_ssl"])
def test_a_password_that_is_missing_is_told(security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_KAFKA_SECURITY", security)
    monkeypatch.setenv("ORDERFLOW_KAFKA_USER", "shop")
    with pytest.raises(ValidationError, match="kafka_password"):
        Settings()
