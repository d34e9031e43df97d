"""Every setting, in one typed place: environment variables that begin with PACKSHOT_."""

import json
import os
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from streams.runtime import environment
from streams.runtime.addresses import Address, SecretAddress, SecretStr
from streams.runtime.cluster import ClusterSettings
from streams.runtime.control_groups import allowed_cores
from streams.runtime.fields import (
    Commas,
    Field,
    ModelPolicy,
    ModelRef,
    Networks,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    WholeDelays,
    Wrong,
    cache_folder,
    converted,
    meant,
)
from streams.runtime.library import LibrarySettings
from streams.runtime.scaler import ScalerSettings

PREFIX = "PACKSHOT_"


class SettingsError(Exception):
    """A setting is missing or wrong; the message names its variable."""


@dataclass(frozen=True, init=False)
class Settings(ClusterSettings, LibrarySettings, ScalerSettings):
    """The settings of one process. `PACKSHOT_<NAME>` in upper case is the variable of a field.

    Passwords are SecretStr: no text of the settings, and no error about them, shows one.
    """

    data_folder: Path = Field(
        Path(".packshot"), description="Where the embedded broker, SQLite, blobs and origin live."
    )
    cache_folder: Path = Field(
        default_factory=cache_folder,
        description="Where model weights and the embedded broker's jars are kept; unset, `.cache` of the checkout that "
        "this runs from, else the user's `~/.cache/packshot` ($XDG_CACHE_HOME).",
    )

    kafka_bootstrap_servers: str | None = Field(
        None,
        description="Brokers as host:port,…; unset, `packshot up` and `make demo` start a broker of their own.",
    )
    embedded_broker: Literal["auto", "kafka", "memory"] = Field(
        "auto", description="Which broker to start: Apache Kafka, the in-memory one, or what this machine allows."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="The SASL mechanism, for the SASL protocols."
    )
    kafka_sasl_username: str | None = Field(None, description="The SASL user.")
    kafka_sasl_password: SecretStr | None = Field(None, description="The SASL password.")
    kafka_ssl_ca_file: Path | None = Field(None, description="A PEM file of the authorities to trust.")
    kafka_partitions: PositiveInt = Field(4, description="Partitions of each topic that we create.")
    kafka_replication: PositiveInt = Field(1, description="Replicas of each topic that we create; 3 on a real cluster.")
    kafka_accept_weaker_topics: bool = Field(
        False,
        description="Whether roles start although topics have less than they rely on; see `packshot topics plan`.",
    )
    kafka_session_timeout_ms: PositiveInt = Field(
        45_000, description="How long a silent consumer keeps its partitions."
    )
    kafka_group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="How workers and the retrier share partitions: classic (cooperative-sticky), or consumer "
        "(KIP-848), where the broker decides and its own session timeout counts.",
    )
    kafka_group_instance_id: str | None = Field(
        None,
        description="A name of this process that no other of its role has: started again within the session timeout, "
        "it goes on with its partitions without a rebalance.",
    )

    schema_registry_url: SecretAddress | None = Field(
        None, description="A Confluent-compatible schema registry; unset, schema ids are hashes of the schemas."
    )
    database_url: SecretAddress | None = Field(
        None, description="sqlite:///path or postgresql://user:password@host/name; unset, SQLite in the data folder."
    )
    blobs_url: Address | None = Field(
        None, description="file:///path or s3://bucket/prefix for pixels; unset, a folder in the data folder."
    )
    origin_url: Address | None = Field(
        None, description="file:///path or s3://bucket/prefix behind the CDN; unset, a folder in the data folder."
    )
    s3_endpoint: Address | None = Field(
        None, description="The S3 server's URL when it is not AWS; credentials are boto3's."
    )
    cdn_base_url: Address | None = Field(None, description="The public URL of the origin; unset, the local CDN's.")
    cdn_port: PositiveInt = Field(8087, description="The loopback port of the local CDN.")

    gateway_host: str = Field(
        "127.0.0.1", description="The address that the API listens on; beyond loopback, put what ends TLS before it."
    )
    gateway_port: PositiveInt = Field(8088, le=65535, description="The port of the API.")
    gateway_base_url: Address | None = Field(
        None, description="The API's public URL, which problems and links name; unset, its address."
    )
    gateway_body_max_bytes: PositiveInt = Field(
        64 * 1024 * 1024,
        description="The largest body that the API reads; NDJSON is read as it comes, each line up to 1 MiB.",
    )
    gateway_key_per_minute: NonNegativeInt = Field(
        600, description="Requests of one key in a minute, but those that only read; 0: any."
    )
    gateway_tenant_per_minute: NonNegativeInt = Field(
        3000, description="The same of all keys of a tenant together; each gateway counts on its own."
    )
    gateway_key_megapixels_per_minute: NonNegativeInt = Field(
        6000, description="Megapixels of photographs that pictures are made of for one key in a minute; 0: any."
    )
    gateway_tenant_megapixels_per_minute: NonNegativeInt = Field(
        30_000, description="The same of all keys of a tenant together."
    )
    gateway_key_at_work: NonNegativeInt = Field(
        64, description="Pictures of one key that a gateway has at work at once; 0: any."
    )
    gateway_tenant_at_work: NonNegativeInt = Field(256, description="The same of all keys of a tenant together.")

    oidc_issuer: Address | None = Field(
        None, description="The OpenID Connect provider that reviewers sign in by, as it calls itself; unset, by links."
    )
    oidc_client_id: str = Field("packshot", description="As what the desk is registered there.")
    oidc_client_secret: SecretStr | None = Field(None, description="The secret of that client; unset, it has none.")
    oidc_scope: str = Field("openid profile", description="What the provider is asked for, with spaces.")
    oidc_name_claim: str = Field("preferred_username", description="The claim that is a reviewer's name.")
    oidc_tenants_claim: str = Field(
        "packshot_tenants", description="The claim that has the tenants of a reviewer: a list, or a text with spaces."
    )
    oidc_role_claim: str = Field(
        "packshot_role", description="The claim that has viewer, reviewer or operator, perhaps among others."
    )

    review_twice_share: float = Field(0.0, ge=0.0, le=1.0, description="Share of review cases that two people decide.")

    remote: Address | None = Field(
        None,
        description="The URL of an API elsewhere that `submit` and `status` are to go through; unset, they go direct.",
    )
    remote_key: SecretStr | None = Field(None, description="The key for that API.")

    replaced_grace_s: NonNegativeFloat = Field(
        3600.0,
        le=366 * 24 * 3600,
        description="How long the files that a newer version replaced go on to answer, in seconds; what is retracted "
        "or deleted is gone at once.",
    )
    signing: bool = Field(True, description="Whether published files are signed, by C2PA: how they came about.")
    signing_certificates: Path | None = Field(
        None,
        description="A PEM file of the certificates that files are signed by, the key's own first; unset, the "
        "publisher makes a key for itself in the data folder, which tells changes and not whose they are.",
    )
    signing_key: Path | None = Field(None, description="A PEM file of the private key of the first of them.")
    signing_callback: str | None = Field(
        None, description="MODULE:FUNCTION that signs bytes in place of a key in a file: what calls an HSM or a KMS."
    )
    signing_time_stamps: Address | None = Field(
        None, description="The URL of an RFC 3161 server that stamps the time; unset, signatures have none."
    )
    sweep_interval_s: NonNegativeFloat = Field(
        3600.0,
        description="How often one of the publishers sweeps the origin, in seconds; 0: only `packshot sweep` does.",
    )

    engine: Literal["auto", "tensorrt", "openvino", "onnxruntime"] = Field(
        "auto", description="What runs the networks."
    )
    cutout_model: ModelPolicy = Field(
        "released",
        description="Which network cuts out: `released`, as `packshot models release` says; NAME@VERSION, whatever is "
        "released; or NAME:latest-N, the newest of NAME, with the N newest held ready.",
    )
    upscale_model: ModelRef | None = Field(
        None, description="NAME@VERSION of the network that enlarges; unset, `upscale` does without one."
    )
    classify_model: ModelRef | None = Field(
        None, description="NAME@VERSION of the network that says which photographs a person sees first; unset: none."
    )
    batch_max: PositiveInt = Field(8, description="The most pictures in one batch of the engine.")
    batch_wait_ms: NonNegativeInt = Field(20, description="How long a picture waits for others to join its batch.")
    worker_threads: NonNegativeInt = Field(
        0,
        description="Tasks a worker has in hand, urgent ones of as many as its cores besides; 0: two more than cores.",
    )

    memory_budget_mb: PositiveInt | None = Field(
        None,
        description="Memory that a worker, or `packshot render`, may use in all; unset, what its control group or the "
        "machine has.",
    )

    stalled_after_s: PositiveFloat = Field(
        600.0,
        description="How long a worker or the streams role may have work and get nowhere before it ends itself, to be "
        "started again; "
        "longer than any one task takes.",
    )

    source_max_bytes: PositiveInt = Field(64 * 1024 * 1024, description="The largest source image that is fetched.")
    source_max_pixels: PositiveInt = Field(100_000_000, description="The largest source image that is decoded.")
    source_timeout_s: PositiveFloat = Field(30.0, description="The most time that one download may take, all told.")
    source_max_redirects: NonNegativeInt = Field(3, description="How many redirects a download follows.")
    channels: Path | None = Field(
        None, description="A folder of channels' rules of one's own, for `packshot channels`; they count once released."
    )
    policies: Path | None = Field(None, description="A folder of your own rules about texts; they count once released.")

    source_private_networks: Networks = Field(
        (), description="Networks (10.1.0.0/16,…) that sources may lie on although they are private or loopback."
    )
    source_file_roots: Commas = Field(
        (), description="Folders that file: sources may lie in, with commas; `packshot up` allows all."
    )
    source_buckets: Commas = Field((), description="Buckets that s3: sources may lie in, with commas.")

    webhook_private_networks: Networks = Field(
        (), description="Networks (10.1.0.0/16,…) that webhooks may lead to although they are private or loopback."
    )

    connector_private_networks: Networks = Field(
        (),
        description="Networks (10.1.0.0/16,…) that connectors' shops may lie on although they are private or loopback.",
    )
    secrets_keys: SecretStr | None = Field(
        None,
        description="Fernet keys (32 bytes in URL-safe Base64), with commas, that webhooks' secrets are sealed with in "
        "the database: by the first, opened by any; unset, they lie there as they are.",
    )

    tenant_quota_per_hour: NonNegativeInt = Field(
        0,
        description="Photographs of a tenant that are begun in an hour in the lane asked for; more go to bulk; 0: any.",
    )
    retry_delays_ms: WholeDelays = Field(
        ("1000", "5000", "30000"),
        description="How long each further try of a transient failure waits, with commas.",
    )

    price_engine_hour: NonNegativeFloat = Field(
        1.0, description="What an hour of the engine costs you; the prices are examples, put in your own."
    )
    price_cpu_hour: NonNegativeFloat = Field(0.05, description="What an hour of a processor core costs you.")
    price_fetched_gb: NonNegativeFloat = Field(0.01, description="What it costs you to fetch a GB (10⁹ bytes).")
    price_stored_gb: NonNegativeFloat = Field(
        0.03, description="What it costs you to store a GB (10⁹ bytes) for as long as you keep it."
    )
    price_currency: str = Field("EUR", description="The currency of the prices; it is only shown.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    log_format: Literal["json", "console"] = Field("json", description="How log lines look.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="The port of the metrics endpoint of `packshot run`; 0 takes a free one and logs it.",
    )
    traces: str | None = Field(
        None,
        description="Where spans go: otlp (OTEL_EXPORTER_OTLP_… apply) or a file's path; unset, nowhere.",
    )

    def __init__(self, **given: Any) -> None:
        """What is given counts before what the environment says. Raises SettingsError, which shows no value."""
        said, wrong = environment.said(type(self), variable, given)
        for name, value in ({each.name: default_of(each) for each in fields(self)} | said | given).items():
            try:
                object.__setattr__(self, name, converted(type(self), name, value))
            except Wrong as error:
                wrong.append(f"{variable(name)}: {error}")
        if wrong:
            raise SettingsError("; ".join(wrong))

    @property
    def retry_delays(self) -> tuple[int, ...]:
        """The delays in ms, shortest first."""
        return tuple(sorted(int(delay) for delay in self.retry_delays_ms))

    @property
    def threads(self) -> int:
        """Tasks in hand: while one waits for the engine and one for the store, every core has another."""
        return self.worker_threads or allowed_cores() + 2

    @property
    def database(self) -> str:
        """The database's URL, with its password: to connect with, and not to be shown."""
        return _revealed(self.database_url) or f"sqlite:///{self.data_folder.absolute() / 'facts.db'}"

    @property
    def schema_registry(self) -> str | None:
        """The registry's URL, with its password."""
        return _revealed(self.schema_registry_url)

    @property
    def sasl_password(self) -> str | None:
        """The SASL password."""
        return _revealed(self.kafka_sasl_password)

    @property
    def sealing_keys(self) -> list[str]:
        """The keys of webhooks' secrets."""
        return [each.strip() for each in (_revealed(self.secrets_keys) or "").split(",") if each.strip()]

    @property
    def blobs(self) -> str:
        """The blob store's URL."""
        return self.blobs_url or f"file://{self.data_folder.absolute() / 'blobs'}"

    @property
    def origin(self) -> str:
        """The origin's URL."""
        return self.origin_url or f"file://{self.data_folder.absolute() / 'origin'}"

    @property
    def cdn(self) -> str:
        """The public URL of the origin, without a slash at its end."""
        return (self.cdn_base_url or f"http://127.0.0.1:{self.cdn_port}").rstrip("/")

    @property
    def gateway(self) -> str:
        """The public URL of the API, without a slash at its end."""
        return (self.gateway_base_url or f"http://{self.gateway_host}:{self.gateway_port}").rstrip("/")

    @property
    def weights_folder(self) -> Path:
        """Where the model weights lie."""
        return self.cache_folder / "weights"

    @cached_property
    def bootstrap_servers(self) -> str:
        """The brokers: the setting, else those of the `packshot up` that runs on this data folder."""
        if self.kafka_bootstrap_servers:
            return self.kafka_bootstrap_servers
        try:
            return str(json.loads(self.running_file.read_text())["bootstrap_servers"])
        except FileNotFoundError:
            raise SettingsError(
                "no broker: start one with `packshot up`, or name yours in PACKSHOT_KAFKA_BOOTSTRAP_SERVERS"
            ) from None

    @property
    def names_folder(self) -> Path:
        """Where processes of this machine hold the names that only one of them may have."""
        return self.data_folder / "names"

    @property
    def running_file(self) -> Path:
        """Where `packshot up` says what it started."""
        return self.data_folder / "running.json"


def variable(field: str) -> str:
    """The environment variable of a field."""
    return f"{PREFIX}{field.upper()}"


def read_settings(names: Iterable[str] = os.environ) -> Settings:
    """The settings of this process. Raises SettingsError, which says what is wrong with each and shows no value."""
    known = [variable(each.name) for each in fields(Settings)]
    known += [variable(name) + environment.SUFFIX for name in environment.secrets_of(Settings)]
    wrong = [message for name in names if (message := meant(name, PREFIX, known))]
    try:
        settings = Settings()
    except SettingsError as error:
        wrong.append(str(error))
    if wrong:
        raise SettingsError("; ".join(wrong)) from None
    return settings


def default_of(field: Any) -> Any:
    """What a field is where nobody says."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
