"""The start of a command: what it imports before its own work, and that its errors are told all the same."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from streams.commands.cli import EXPLAINED


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("streams.commands.submit", {"sqlalchemy", "confluent_kafka", "pydantic", "opentelemetry", "numpy"}),
        ("streams.commands.tables.submit", {"sqlalchemy", "confluent_kafka", "structlog", "opentelemetry", "numpy"}),
        (
            "streams.services.reports.status",
            {"confluent_kafka", "structlog", "opentelemetry", "alembic", "numpy", "rich", "pydantic", "yaml"},
        ),
    ],
)
def test_a_command_imports_what_it_uses(module: str, spared: set[str]) -> None:
    code = f"import sys, {module}; print(*{{each.partition('.')[0] for each in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert spared & set(done.stdout.split()) == set()


def test_errors_with_a_sentence_of_their_own_are_there() -> None:
    for module, name in EXPLAINED:
        assert issubclass(getattr(import_module(module), name), Exception)


def test_a_product_that_nobody_knows_is_reported_without_kafkas_client(tmp_path: Path) -> None:
    code = """
import sys
from streams.commands import cli
sys.argv = ["packshot", "status", "NONE"]
try:
    cli.main()
finally:
    print(*{"confluent_kafka", "boto3", "gpu_workers", "opentelemetry", "structlog"} & {*sys.modules})
"""
    environment = {"PACKSHOT_DATA_FOLDER": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout.strip()) == (2, "")
    assert "no product has the SKU" in done.stderr
