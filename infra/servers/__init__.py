"""Real servers for tests and demos, on loopback: PostgreSQL, VersityGW (S3), Vendure, three brokers of Apache Kafka."""

from infra.servers.kafka import KafkaCluster
from infra.servers.postgres import postgres
from infra.servers.process import ServerUnavailable
from infra.servers.vendure import VendureShop, vendure
from infra.servers.versitygw import S3Server, versitygw

__all__ = ["KafkaCluster", "S3Server", "ServerUnavailable", "VendureShop", "postgres", "vendure", "versitygw"]
