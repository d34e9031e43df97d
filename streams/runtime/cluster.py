"""The settings of a process that something else starts, watches and ends: a pod of a cluster, a unit of systemd."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streams.runtime.addresses import SecretStr
from streams.runtime.control_groups import allowed_cores
from streams.runtime.fields import Field, NonNegativeFloat


@dataclass(frozen=True, init=False)
class ClusterSettings:
    """They are part of Settings."""

    provisioning: Literal["roles", "command"] = Field(
        "roles",
        description="Who makes topics and tables: each role when it starts; or `packshot provision`, for which roles "
        "wait then, so that they need no rights to do it.",
    )
    metrics_host: str | None = Field(
        None,
        description="The address that metrics, /livez, /readyz and /startupz of `packshot run` are at; unset, every "
        "one of IPv4 where PACKSHOT_METRICS_PORT is set, else loopback.",
    )
    drain_s: NonNegativeFloat = Field(
        60.0,
        le=300.0,
        description="How long a worker that is told to stop lets end what it has in hand, in seconds; what has not "
        "ended by then others begin anew. Below the notice that machines get before they are taken away.",
    )
    cdn_host: str = Field("127.0.0.1", description="The address that the local CDN listens on.")
    kafka_ssl_certificate_file: Path | None = Field(
        None, description="A PEM file of the certificate that says who we are, for mutual TLS; with those between."
    )
    kafka_ssl_key_file: Path | None = Field(None, description="A PEM file of its private key.")
    kafka_ssl_key_password: SecretStr | None = Field(None, description="The password of that key; unset, it has none.")

    kafka_oauth_token_url: str | None = Field(
        None,
        description="For OAUTHBEARER: the token endpoint of an OpenID provider, which is asked by client credentials.",
    )
    kafka_oauth_client_id: str | None = Field(None, description="The client that it knows.")
    kafka_oauth_client_secret: SecretStr | None = Field(None, description="The client's secret.")
    kafka_oauth_scope: str | None = Field(None, description="The scope to ask for; unset, the provider's own.")
    kafka_oauth_ca_file: Path | None = Field(
        None, description="A PEM file of the authorities to trust at that endpoint; unset, those of the system."
    )

    @property
    def oauth_client_secret(self) -> str:
        """The secret of the client of Kafka's tokens; empty where there is none."""
        secret = self.kafka_oauth_client_secret
        return "" if secret is None else secret.get_secret_value()

    @property
    def engine_threads(self) -> int:
        """Threads of a network: what the control group allows; 0, the engine's own count, where that is all."""
        cores = allowed_cores()
        return cores if cores < (os.cpu_count() or 1) else 0

    @property
    def ssl_key_password(self) -> str | None:
        """The password of the key of Kafka's TLS."""
        return None if self.kafka_ssl_key_password is None else self.kafka_ssl_key_password.get_secret_value()
