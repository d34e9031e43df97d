"""Boards as Grafana's JSON: `make dashboards`. Whoever imports one chooses the data source at its head."""

import json
from pathlib import Path
from typing import Any

from infra.dashboards.boards import BOARDS, Board, Panel

FOLDER = Path(__file__).parent
SCHEMA = 39  # Grafana 10 and newer
WIDTH, HEIGHT = 12, 8  # of Grafana's 24 columns; two panels in a row
SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard(board: Board) -> dict[str, Any]:
    """A board as Grafana reads it."""
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": f"packshot-{board.name}",
        "title": board.title,
        "tags": ["packshot"],
        "schemaVersion": SCHEMA,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": [_panel(number, each) for number, each in enumerate(board.panels)],
    }


def text(board: Board) -> str:
    """The file."""
    return json.dumps(dashboard(board), indent=1) + "\n"


def file(board: Board) -> Path:
    """Where it lies."""
    return FOLDER / f"{board.name}.json"


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    for each in BOARDS:
        file(each).write_text(text(each))
