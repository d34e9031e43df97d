"""Real servers as fixtures; a missing one skips its tests with its reason, or fails them where servers are required."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

import psycopg
import pytest

from infra.servers import (
    ControlPlane,
    KafkaCluster,
    S3Server,
    ServerUnavailable,
    VendureShop,
    akeneo,
    kubernetes,
    postgres,
    vendure,
    versitygw,
)
from streams.embedded import BrokerUnavailable, choose_broker

_CACHE = Path(__file__).parents[1] / ".cache"
_Server = TypeVar("_Server")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty database on a PostgreSQL server."""
    with tempfile.TemporaryDirectory() as folder, _started(postgres, Path(folder)) as url:
        with psycopg.connect(url, autocommit=True) as connection:  # as in conftest: no test has a power cut
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server with a bucket."""
    with tempfile.TemporaryDirectory() as folder, _started(versitygw, Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def s3_endpoint(s3_server: S3Server) -> Iterator[str]:
    """The URL of an S3 server that has the bucket `packshot`; its credentials are where boto3 looks for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        yield s3_server.endpoint


@pytest.fixture(scope="session")
def vendure_shop() -> Iterator[VendureShop]:
    """A Vendure shop from npm."""
    with tempfile.TemporaryDirectory() as folder, _started(lambda at: vendure(at, _CACHE), Path(folder)) as shop:
        yield shop


@pytest.fixture(scope="session")
def akeneo_url(postgres_url: str) -> Iterator[str]:
    """Where a mock of Akeneo from PyPI answers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _started(lambda at: akeneo(at, _CACHE, postgres_url), Path(folder)) as url,
    ):
        yield url


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """host:port of an Apache Kafka broker."""
    with tempfile.TemporaryDirectory() as folder, _started(partial(_broker, "kafka"), Path(folder)) as servers:
        yield servers


@pytest.fixture(scope="session")
def memory_bootstrap() -> Iterator[str]:
    """host:port of an in-memory broker."""
    with tempfile.TemporaryDirectory() as folder, _started(partial(_broker, "memory"), Path(folder)) as servers:
        yield servers


@pytest.fixture
def fresh_bootstrap() -> Iterator[str]:
    """host:port of an in-memory broker that has seen no other test: a role refuses topics that others made smaller."""
    with tempfile.TemporaryDirectory() as folder, _started(partial(_broker, "memory"), Path(folder)) as servers:
        yield servers


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[KafkaCluster]:
    """Three brokers of Apache Kafka; whoever kills one starts it again."""
    with tempfile.TemporaryDirectory() as folder, _started(_cluster, Path(folder)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The control plane of Kubernetes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _started(lambda at: kubernetes(at, _CACHE), Path(folder)) as plane,
    ):
        yield plane


@contextmanager
def _cluster(folder: Path) -> Iterator[KafkaCluster]:
    cluster = KafkaCluster(folder, _CACHE)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def _broker(kind: Literal["kafka", "memory"], folder: Path) -> Iterator[str]:
    broker = choose_broker(folder, _CACHE, kind)
    broker.start()
    try:
        yield broker.bootstrap_servers
    finally:
        broker.stop()


@contextmanager
def _started(server: Callable[[Path], AbstractContextManager[_Server]], folder: Path) -> Iterator[_Server]:
    with ExitStack() as stack:
        try:
            value = stack.enter_context(server(folder))
        except (ServerUnavailable, BrokerUnavailable) as missing:
            skip_or_fail(str(missing))
        yield value


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, or fail it where servers are required, with one line that says which is missing and why."""
    if os.environ.get("CI") or os.environ.get("PACKSHOT_REQUIRE_SERVERS") == "1":
        pytest.fail(f"a server that the tests need is missing: {reason}", pytrace=False)
    pytest.skip(reason)
