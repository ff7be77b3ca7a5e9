"""Everything that can be configured, in one frozen value read once from the environment."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.pins import Pins

T = TypeVar("T")

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(gt=0)]


def _new_secret() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(32))


class Settings(BaseSettings):
    """A field `name` is read from `ORDERFLOW_NAME`."""

    model_config = SettingsConfigDict(env_prefix="ORDERFLOW_", frozen=True, env_ignore_empty=True, extra="ignore")

    profile: Literal["embedded", "cluster"] = Field(
        default="embedded", description="embedded: one process with its own servers; cluster: separate processes."
    )
    data_dir: Path | None = Field(
        default=None, description="Where servers of our own keep their data; without it, a folder that is removed."
    )
    postgres_dsn: SecretStr = Field(
        default=SecretStr("postgresql://orderflow@127.0.0.1:5432/orderflow"),
        description="The database of the event log and the read models; the embedded profile starts its own.",
    )
    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="The Redis-protocol server of the live views; the embedded profile starts its own.",
    )
    kafka_servers: str = Field(
        default="127.0.0.1:9092", description="Cluster: Kafka's brokers, as host:port separated by commas."
    )
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext", description="Cluster: how Kafka is spoken to, as its brokers' listeners name it."
    )
    kafka_ca_file: Path | None = Field(
        default=None, description="Cluster: who vouches for the brokers with ssl; without it, whom the system trusts."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="Cluster: how a password is shown to Kafka with sasl."
    )
    kafka_user: str | None = Field(
        default=None, validate_default=True, description="Cluster: the user of Kafka; sasl needs one."
    )
    kafka_password: SecretStr | None = Field(
        default=None, validate_default=True, description="Cluster: the password of that user; sasl needs one."
    )
    topic_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")] = Field(
        default="orderflow", description="Cluster: the topics are <prefix>.order, <prefix>.stock and so on."
    )
    topic_partitions: int = Field(default=4, ge=1, le=1_000, description="Cluster: partitions of a topic that is new.")
    pinned: Pins = Field(
        default={},
        description=(
            "Cluster: consumers that still know only old forms of some events, as JSON: "
            '{"warehouse": ["payment.declined.v1"]}. Each gets topics of its own, <prefix>.<category>.<consumer>.'
        ),
    )
    topic_replication: int = Field(default=1, ge=1, le=9, description="Cluster: replicas of a topic that is new.")
    rabbitmq_url: SecretStr = Field(
        default=SecretStr("amqp://orderflow@127.0.0.1:5672/"), description="Cluster: RabbitMQ with its virtual host."
    )
    pool_size: int = Field(default=20, gt=1, description="The most connections a process holds to the database.")
    lock_timeout_ms: Milliseconds = Field(
        default=3_000, description="How long a statement waits for a lock before the caller is told to come back."
    )
    statement_timeout_ms: Milliseconds = Field(
        default=5_000, description="How long a statement may run before the caller is told to come back."
    )
    transaction_timeout_ms: Milliseconds = Field(
        default=20_000,
        description="Cluster: how long a transaction may take, so that a process that stands still stops nobody else.",
    )

    host: str = Field(
        default="127.0.0.1", description="The address the APIs listen on; the mail catcher and the acquirer stay local."
    )
    write_port: Port = Field(default=0, description="Port of the write API; 0 takes a free one.")
    query_port: Port = Field(default=0, description="Port of the query API and its page; 0 takes a free one.")
    write_grpc_port: Port = Field(default=0, description="Port of the write API's gRPC; 0 takes a free one.")
    query_grpc_port: Port = Field(default=0, description="Port of the query API's gRPC; 0 takes a free one.")
    mail_port: Port = Field(default=0, description="Port where caught mail is read; 0 takes a free one.")
    smtp_port: Port = Field(default=0, description="Port mail is sent to; 0 takes a free one for the mail catcher.")
    acquirer_port: Port = Field(default=0, description="Port of the simulated acquirer; 0 takes a free one.")
    query_url: str | None = Field(
        default=None, description="Where clients reach the query API; the write API's Location headers begin with it."
    )
    write_url: str | None = Field(default=None, description="Where clients, such as the command line, send commands.")
    token: SecretStr | None = Field(default=None, description="The access token of the command line.")
    ready_file: Path | None = Field(
        default=None, description="The file that a running platform wrote, for the command line."
    )
    run_dir: Path = Field(
        default=Path("~/.local/state/orderflow"),
        description="Where a running platform leaves word of itself, so that the command line finds it.",
    )
    grpc_reflection: bool = Field(
        default=False, description="Whether gRPC tells its contracts to whoever asks; `up` does, for development."
    )
    grpc_cert_file: Path | None = Field(
        default=None, description="gRPC: certificate chain (PEM); without it, calls are in the clear."
    )
    grpc_key_file: Path | None = Field(default=None, description="gRPC: the private key of that certificate (PEM).")
    grpc_client_ca_file: Path | None = Field(
        default=None, description="gRPC: who vouches for clients (PEM); with it, a client must show a certificate."
    )
    max_body_bytes: int = Field(default=65_536, gt=0, description="The largest request body that is read.")

    jwt_issuer: str = Field(default="orderflow-dev", description="The issuer every token must name.")
    jwt_audience: str = Field(default="orderflow", description="The audience every token must name.")
    jwks_file: Path | None = Field(default=None, description="File with the keys that sign tokens, as a JWK set.")
    jwks_url: str | None = Field(default=None, description="Where the keys that sign tokens are fetched, as a JWK set.")
    vault_file: Path | None = Field(
        default=None,
        description=(
            "File with the secret, 32 bytes as base64, that guards the keys of customers: what is personal is sealed "
            "with them. Every service that writes or shows it needs the same; `up` makes one in its data folder."
        ),
    )
    cursor_secret: SecretStr = Field(
        default_factory=_new_secret,
        description="Signs page cursors; give every process of a cluster the same. Without it, a new one per start.",
    )
    console_tenant: str | None = Field(
        default=None,
        description="The tenant the page at / shows without a token. `up` has one unless it listens on the network.",
    )

    acquirer_url: str | None = Field(
        default=None, description="Where payments are authorised; the embedded profile starts a simulated acquirer."
    )
    reconcile_every: float = Field(
        default=3_600,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between comparisons of the acquirer's ledger with the payments here; 0 makes none.",
    )
    drift_every: float = Field(
        default=600,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between looks whether what is derived still says what some of the log says; 0 makes none.",
    )
    smtp_host: str = Field(default="127.0.0.1", description="The host mail is sent to.")
    smtp_user: str | None = Field(default=None, description="Who logs in at the mail server; nobody without it.")
    smtp_password: SecretStr | None = Field(default=None, description="The password of that user.")
    smtp_tls: Literal["none", "starttls", "tls"] | None = Field(
        default=None, description="How mail is guarded on its way; without it, by STARTTLS where the server offers it."
    )
    mail_from: str = Field(default="orders@orderflow.example", description="The sender of every notification.")

    deadline_grace: Seconds = Field(
        default=15, description="Seconds after a start before the first deadline is told; waiting work goes first."
    )
    stock_deadline: Seconds = Field(default=30, description="Seconds until an order without reserved stock ends.")
    payment_deadline: Seconds = Field(default=120, description="Seconds until an order without a payment ends.")
    shipment_deadline: Seconds = Field(
        default=timedelta(days=7).total_seconds(), description="Seconds until a paid order that never shipped ends."
    )
    delivery_deadline: Seconds = Field(
        default=timedelta(days=30).total_seconds(),
        description="Seconds until a person has to look at a parcel that has not arrived.",
    )
    capture_deadline: Seconds = Field(
        default=300, description="Seconds until a person has to look at a missing capture or refund."
    )
    compensation_deadline: Seconds = Field(
        default=300, description="Seconds until a person has to look at stock or money that was not given back."
    )

    log_key_file: Path | None = Field(
        default=None,
        description=(
            "The key that signs checkpoints of the log, made by `orderflow audit new-key`; without it there are none. "
            "`up` makes its own."
        ),
    )
    checkpoint_dir: Path | None = Field(
        default=None, description="Where checkpoints are put to be handed out; without it, a folder beside the key."
    )
    checkpoint_every: Seconds = Field(
        default=60, description="Seconds that a new event waits at most until a checkpoint holds it."
    )
    checkpoint_events: int = Field(
        default=10_000, gt=0, description="So many new events are signed at once, whatever the seconds."
    )

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.grpc_cert_file is None) != (self.grpc_key_file is None):
            raise ValueError("grpc_cert_file and grpc_key_file go together")
        if self.grpc_client_ca_file is not None and self.grpc_cert_file is None:
            raise ValueError("grpc_client_ca_file needs grpc_cert_file and grpc_key_file")
        return self

    @field_validator("kafka_user", "kafka_password")
    @classmethod
    def _needed_with_sasl(cls, value: T, info: ValidationInfo) -> T:
        if not value and str(info.data.get("kafka_security")).startswith("sasl"):
            raise ValueError("sasl needs a user and a password")
        return value
