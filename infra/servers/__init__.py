"""Real servers for tests and demos, on loopback: PostgreSQL, S3, Vendure, Akeneo's mock, brokers of Apache Kafka,
the control plane of Kubernetes.
"""

from infra.servers.akeneo import akeneo
from infra.servers.kafka import KafkaCluster
from infra.servers.kubernetes import ControlPlane, kubernetes
from infra.servers.postgres import postgres
from infra.servers.process import ServerUnavailable
from infra.servers.vendure import VendureShop, vendure
from infra.servers.versitygw import S3Server, versitygw

__all__ = [
    "ControlPlane",
    "KafkaCluster",
    "S3Server",
    "ServerUnavailable",
    "VendureShop",
    "akeneo",
    "kubernetes",
    "postgres",
    "vendure",
    "versitygw",
]
