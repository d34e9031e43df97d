"""Real servers for tests and demos, on loopback: PostgreSQL and VersityGW (S3)."""

from infra.servers.postgres import postgres
from infra.servers.process import ServerUnavailable
from infra.servers.versitygw import S3Server, versitygw

__all__ = ["S3Server", "ServerUnavailable", "postgres", "versitygw"]
