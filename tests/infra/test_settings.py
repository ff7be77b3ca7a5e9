"""Settings come from the environment, never change, and never show a secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from infra.settings import Settings


def test_a_field_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_WRITE_PORT", "8001")
    monkeypatch.setenv("ORDERFLOW_DATA_DIR", "kept")
    settings = Settings()
    assert settings.write_port == 8001
    assert settings.data_dir == Path("kept")


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_PAYMENT_DEADLINE", "")
    assert Settings().payment_deadline == 120


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().host = "0.0.0.0"  # type: ignore[misc]  # noqa: S104 - what must fail


def test_a_secret_is_not_printed() -> None:
    settings = Settings(postgres_dsn=SecretStr("postgresql://orderflow:hidden@db/orderflow"))
    assert "hidden" not in f"{settings!r} {settings}"
    assert "hidden" in settings.postgres_dsn.get_secret_value()


def test_every_start_signs_cursors_with_another_secret() -> None:
    assert Settings().cursor_secret != Settings().cursor_secret


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ORDERFLOW_WRITE_PORT", "65536"),
        ("ORDERFLOW_WRITE_PORT", "-1"),
        ("ORDERFLOW_PAYMENT_DEADLINE", "0"),
        ("ORDERFLOW_PAYMENT_DEADLINE", "nan"),
        ("ORDERFLOW_SHIPMENT_DEADLINE", "inf"),
        ("ORDERFLOW_PROFILE", "elsewhere"),
        ("ORDERFLOW_MAX_BODY_BYTES", "0"),
    ],
)
def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=variable.removeprefix("ORDERFLOW_").lower()):
        Settings()


def test_every_field_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
