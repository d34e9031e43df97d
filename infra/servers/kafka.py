"""Three brokers of Apache Kafka, controllers as well, on loopback: plain, or with TLS, SCRAM users and ACLs."""

import base64
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.servers.process import LOOPBACK, ServerUnavailable, free_port, run, stop
from infra.servers.tls import Pem, make_pem
from streams.embedded.apache_kafka import ApacheKafka
from streams.embedded.process import BrokerUnavailable, end_with_parent

NAME = "Apache Kafka"
ADMIN = "admin"
NUMBERS = (1, 2, 3)
STARTED_WITHIN_S = 420.0
SESSION_MS = 6000  # so soon a silent broker's partitions get another leader
_POLL_S = 0.2
_LOG4J = Path(__file__).parents[2] / "streams" / "embedded" / "log4j2.properties"
_JAVA = ("java", "-Xmx320m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={_LOG4J}")
_PROPERTIES = """\
process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
listeners=CLIENT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:{client_protocol},CONTROLLER:{controller_protocol}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms={session_ms}
"""
_SECURE = """\
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="{admin}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={server}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.controller.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin};User:CN={admin}
allow.everyone.if.no.acl.found=false
"""
_TOKENS = """\
sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER
listener.name.client.oauthbearer.sasl.server.callback.handler.class=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.client.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required ;
sasl.oauthbearer.jwks.endpoint.url={issuer}/jwks
sasl.oauthbearer.expected.issuer={issuer}
sasl.oauthbearer.expected.audience=kafka
"""


class KafkaCluster:
    """Brokers by their numbers, each a process whose data and ports stay when it is killed and started again.

    With `users` (names and passwords) clients need SASL_SSL and one of them; who may do what ACLs say, and ADMIN may
    do anything. Beside passwords, tokens of the OpenID provider at `issuer` count. Raises ServerUnavailable.
    """

    def __init__(
        self, folder: Path, cache_folder: Path, users: Mapping[str, str] | None = None, issuer: str | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.users = None if users is None else {ADMIN: secrets.token_hex(8), **users}
        jars, archive = _programs(folder, cache_folder)
        self._issuer = issuer
        allowed = [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer}/jwks"] if issuer else []
        self._options = (f"-XX:SharedArchiveFile={archive}", *allowed, "-cp", f"{jars}/*")
        self._ports = {number: (free_port(), free_port()) for number in NUMBERS}
        self._pem: Pem | None = None if users is None else make_pem(self.folder, ADMIN)
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._format()

    @property
    def bootstrap_servers(self) -> str:
        """host:port of all three."""
        return ",".join(f"{LOOPBACK}:{port}" for port, _ in self._ports.values())

    def fields(self, user: str = ADMIN) -> dict[str, Any]:
        """What streams.runtime.settings.Settings has to say for this cluster, and for a user where there are any."""
        fields = {"kafka_bootstrap_servers": self.bootstrap_servers, "kafka_replication": len(NUMBERS)}
        if self.users is None or self._pem is None:
            return fields
        return fields | {
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_username": user,
            "kafka_sasl_password": self.users[user],
            "kafka_ssl_ca_file": self._pem.authority,
        }

    def config(self, user: str = ADMIN) -> dict[str, Any]:
        """The same for a client of librdkafka's."""
        config: dict[str, Any] = {"bootstrap.servers": self.bootstrap_servers, "log_level": 0}
        if self.users is None or self._pem is None:
            return config
        return config | {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.users[user],
            "ssl.ca.location": str(self._pem.authority),
        }

    def start(self, *numbers: int) -> None:
        """Starts brokers, all by default; returns when each of them answers and knows of all that run."""
        for number in numbers or NUMBERS:
            self._running[number] = self._spawn(number)
        for number in numbers or NUMBERS:
            self._wait_for(number)

    def kill(self, number: int) -> None:
        """SIGKILL."""
        process = self._running.pop(number)
        process.kill()
        process.wait()

    def signal(self, number: int, what: signal.Signals) -> None:
        """Sends a signal to a broker."""
        self._running[number].send_signal(what)

    def stop(self) -> None:
        """Stops all that run: asked first, all at once, for one waits for another."""
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            stop(process)
        self._running.clear()

    def _format(self) -> None:
        # Kafka's own form of a UUID, behind a letter: one that begins with a hyphen would be taken for an option
        cluster_id = "P" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        scram = [f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in (self.users or {}).items()]
        options = [part for each in scram for part in ("--add-scram", each)]
        for number in NUMBERS:
            place = self.folder / f"broker-{number}"
            place.mkdir()
            properties = place / "server.properties"
            properties.touch(0o600)
            properties.write_text(self._properties(number, place / "data"))
            run(
                NAME, self._java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties), *options)
            )

    def _properties(self, number: int, data: Path) -> str:
        port, controller_port = self._ports[number]
        plain = _PROPERTIES.format(
            number=number,
            voters=",".join(f"{each}@{LOOPBACK}:{ports[1]}" for each, ports in self._ports.items()),
            host=LOOPBACK,
            port=port,
            controller_port=controller_port,
            client_protocol="SASL_SSL" if self._pem else "PLAINTEXT",
            controller_protocol="SSL" if self._pem else "PLAINTEXT",
            data=data,
            session_ms=SESSION_MS,
        )
        if self._pem is None or self.users is None:
            return plain
        keys = {"server": self._pem.server, "authority": self._pem.authority}
        secure = plain + _SECURE.format(admin=ADMIN, password=self.users[ADMIN], **keys)
        return secure + (_TOKENS.format(issuer=self._issuer) if self._issuer else "")

    def _spawn(self, number: int) -> subprocess.Popen[bytes]:
        place = self.folder / f"broker-{number}"
        with (place / "broker.log").open("ab") as log:
            return subprocess.Popen(
                self._java("kafka.Kafka", str(place / "server.properties")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place,
                start_new_session=True,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
            )

    def _wait_for(self, number: int) -> None:
        give_up_at = time.monotonic() + STARTED_WITHIN_S
        admin = AdminClient(self.config() | {"bootstrap.servers": f"{LOOPBACK}:{self._ports[number][0]}"})
        while _brokers(admin) < len(self._running):
            code = self._running[number].poll()
            if code is not None:
                raise ServerUnavailable(f"{NAME} {number} ended with {code}: {self._tail(number)}")
            if time.monotonic() > give_up_at:
                raise ServerUnavailable(f"{NAME} {number} does not find the others: {self._tail(number)}")
            time.sleep(_POLL_S)

    def _tail(self, number: int) -> str:
        return (self.folder / f"broker-{number}" / "broker.log").read_bytes()[-2000:].decode(errors="replace")

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [*_JAVA, *self._options, main, *arguments]


def _programs(folder: Path, cache_folder: Path) -> tuple[Path, Path]:
    """The folder of its jars, and the archive of its classes."""
    kafka = ApacheKafka(folder, cache_folder / "kafka")
    if missing := kafka.missing():
        raise ServerUnavailable(f"{NAME}: {missing}")
    try:
        return kafka.fetch(), kafka.archive()
    except BrokerUnavailable as error:
        raise ServerUnavailable(str(error)) from error


def _brokers(admin: AdminClient) -> int:
    try:
        return len(admin.list_topics(timeout=5).brokers)
    except KafkaException:
        return 0
