"""Grafana's boards as one table: what each panel asks Prometheus, and in which unit it is shown.

`make dashboards` writes them as JSON beside this file. All metrics are ours: brokers, machines and GPUs have exporters,
and boards, of their own.
"""

from dataclasses import dataclass

RATE = "5m"  # of what comes in seconds
SHARE = "1h"  # of what is a share: fewer have too few to be one


@dataclass(frozen=True)
class Panel:
    """A title, a unit of Grafana's, and queries with what each of their series is called."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""


@dataclass(frozen=True)
class Board:
    """A page of panels, two in a row."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def rate(metric: str, by: str, over: str = RATE) -> str:
    """What is added to a counter a second, by labels."""
    return f"sum by ({by}) (rate({metric}[{over}]))"


def quantile(share: float, histogram: str, by: str) -> str:
    """What this share of observations was within, by labels."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', f'le, {by}')})"


def ratio(of: str, all_of: str, by: str = "") -> str:
    """A share of two sums; without labels, of everything."""
    summed = f"sum by ({by})" if by else "sum"
    return f"{summed} ({of}) / {summed} ({all_of})"


def increase(metric: str) -> str:
    """What was added to a counter in the time that shares are of."""
    return f"increase({metric}[{SHARE}])"


BUSINESS = Board(
    "business",
    "Packshot: business",
    (
        Panel(
            "Latency of the API",
            "s",
            ((quantile(0.95, "packshot_api_seconds", "route"), "{{route}}"),),
            "95 % of requests were answered within this time.",
        ),
        Panel(
            "Latency of tasks",
            "s",
            ((quantile(0.95, "packshot_task_seconds", "operation"), "{{operation}}"),),
            "95 % of tasks took no longer from when a worker took them; what waits before is on the board Kafka.",
        ),
        Panel(
            "Success",
            "percentunit",
            (
                (
                    ratio(
                        increase('packshot_ended_total{how="done"}'), increase('packshot_ended_total{how=~"done|dead"}')
                    ),
                    "deliveries that did not end dead",
                ),
                (
                    ratio(
                        increase('packshot_task_deadlines_total{met="true"}'), increase("packshot_task_deadlines_total")
                    ),
                    "tasks before their deadline",
                ),
                (
                    "1 - "
                    + ratio(
                        increase('packshot_api_requests_total{status=~"5.."}'), increase("packshot_api_requests_total")
                    ),
                    "requests without an error of ours",
                ),
            ),
            "The objectives are 99 %, 99.5 % and 99.9 %.",
        ),
        Panel(
            "Cost of an accepted image",
            "none",
            ((ratio("packshot_day_price", "packshot_day_images", "tenant"), "{{tenant}}"),),
            "In the currency of the prices, with its part of what was wasted, over 24 hours.",
        ),
        Panel(
            "Satisfaction",
            "percentunit",
            ((ratio('packshot_day_decisions{state="approved"}', "packshot_day_decisions", "tenant"), "{{tenant}}"),),
            "The share of what people were asked about in 24 hours that they approved as it was.",
        ),
        Panel(
            "Accepted images", "none", (("sum by (tenant) (packshot_day_images)", "{{tenant}}"),), "Within 24 hours."
        ),
        Panel(
            "Wasted",
            "percentunit",
            ((ratio("packshot_day_wasted_price", "packshot_day_price", "tenant"), "{{tenant}}"),),
            "The share of a day's cost that went into what nobody will see.",
        ),
        Panel(
            "Cases that wait for people",
            "none",
            (("max(packshot_review_cases)", "waiting"), ("max(packshot_review_overdue_cases)", "past a deadline")),
        ),
        Panel("Age of the oldest case", "s", (("max(packshot_review_oldest_seconds)", "oldest"),)),
        Panel("Live files that differ", "none", (("max(packshot_probe_drifted_files)", "files"),)),
    ),
)

FLOW = Board(
    "flow",
    "Packshot: flow",
    (
        Panel("Read", "ops", ((rate("packshot_polled_total", "role"), "{{role}}"),)),
        Panel("Ended", "ops", ((rate("packshot_ended_total", "role, how"), "{{role}} {{how}}"),)),
        Panel("In hand", "none", (("sum by (role, lane) (packshot_in_flight)", "{{role}} {{lane}}"),)),
        Panel(
            "Books",
            "none",
            (
                (
                    "sum by (role) (packshot_polled_total) - sum by (role) (packshot_ended_total)"
                    " - sum by (role) (packshot_in_flight)",
                    "{{role}}",
                ),
            ),
            "What was read, less what ended and what is in hand: never anything but nothing.",
        ),
        Panel(
            "Dead",
            "percentunit",
            (
                (
                    ratio(
                        increase('packshot_ended_total{how="dead"}'),
                        increase('packshot_ended_total{how=~"done|dead"}'),
                        "role",
                    ),
                    "{{role}}",
                ),
            ),
        ),
        Panel(
            "What stops a lane",
            "none",
            (
                ("max by (role, lane) (packshot_breaker_open)", "{{role}} {{lane}} paused"),
                ("sum by (role) (increase(packshot_isolated_total[1h]))", "{{role}} records that ended it"),
                ("sum by (role) (increase(packshot_poison_total[1h]))", "{{role}} unforeseen errors"),
            ),
        ),
        Panel("Outbox", "none", (("max(packshot_outbox_rows)", "records"),)),
        Panel("Age of the oldest in the outbox", "s", (("max(packshot_outbox_oldest_seconds)", "oldest"),)),
        Panel("Webhooks", "ops", ((rate("packshot_webhook_attempts_total", "outcome"), "{{outcome}}"),)),
        Panel(
            "Webhooks that wait",
            "s",
            (("max(packshot_webhook_oldest_seconds)", "oldest"),),
        ),
        Panel(
            "Products of shops",
            "ops",
            ((rate("packshot_connector_taken_total", "kind, outcome"), "{{kind}} {{outcome}}"),),
        ),
        Panel("Requests", "reqps", ((rate("packshot_api_requests_total", "status"), "{{status}}"),)),
    ),
)

ENGINES = Board(
    "engines",
    "Packshot: engines",
    (
        Panel(
            "Engines at work",
            "none",
            ((rate("packshot_engine_seconds_total", "pool, operation"), "{{pool}} {{operation}}"),),
            "Seconds of an engine a second: one is one engine that does nothing else.",
        ),
        Panel(
            "Cores at work",
            "none",
            ((rate("packshot_cpu_seconds_total", "pool, operation"), "{{pool}} {{operation}}"),),
        ),
        Panel("Tasks", "ops", ((rate("packshot_task_seconds_count", "pool, operation"), "{{pool}} {{operation}}"),)),
        Panel("Half of tasks within", "s", ((quantile(0.5, "packshot_task_seconds", "operation"), "{{operation}}"),)),
        Panel(
            "Found in the cache",
            "percentunit",
            (
                (
                    ratio(
                        increase('packshot_task_results_total{cached="true"}'),
                        increase("packshot_task_results_total"),
                        "pool",
                    ),
                    "{{pool}}",
                ),
            ),
        ),
        Panel("Saved by the cache", "none", ((rate("packshot_saved_engine_seconds_total", "pool"), "{{pool}}"),)),
        Panel("Models open", "none", (("sum by (model) (packshot_models_open)", "{{model}}"),)),
        Panel(
            "Models that fail", "none", (("sum by (model) (increase(packshot_model_failures_total[1h]))", "{{model}}"),)
        ),
        Panel("Bytes", "Bps", ((rate("packshot_moved_bytes_total", "pool, way"), "{{pool}} {{way}}"),)),
        Panel("A start", "s", (("max by (pool) (packshot_cold_start_seconds)", "{{pool}}"),)),
    ),
)

KAFKA = Board(
    "kafka",
    "Packshot: Kafka",
    (
        Panel(
            "Age of the oldest unread record",
            "s",
            (("max by (topic) (packshot_unread_age_seconds)", "{{topic}}"),),
        ),
        Panel(
            "Its share of the topic's retention",
            "percentunit",
            (("max by (topic) (packshot_unread_retention_share)", "{{topic}}"),),
            "At one it is lost; an alert comes at a half.",
        ),
        Panel("Removed unread", "none", (("max by (topic) (packshot_lost_offsets)", "{{topic}}"),)),
        Panel("Committed", "ops", ((rate("packshot_committed_total", "role, lane"), "{{role}} {{lane}}"),)),
        Panel(
            "Ended and not committed",
            "none",
            (
                (
                    "sum by (role, lane) (packshot_ended_total) - sum by (role, lane) (packshot_committed_total)",
                    "{{role}} {{lane}}",
                ),
            ),
            "Who takes over has these to read once more.",
        ),
        Panel(
            "Partitions worked on one by one", "none", (("sum by (role) (packshot_careful_partitions)", "{{role}}"),)
        ),
        Panel(
            "Headers that could not be read",
            "none",
            ((f"sum by (topic) ({increase('packshot_headers_lost_total')})", "{{topic}}"),),
        ),
        Panel("Records without a value", "none", ((f"sum ({increase('packshot_tombstones_total')})", "catalogue"),)),
    ),
)

SCALING = Board(
    "scaling",
    "Packshot: cost and scaling",
    (
        Panel(
            "Replicas",
            "none",
            (
                ("max by (pool) (packshot_scaler_replicas)", "{{pool}} wanted"),
                ("max by (pool) (packshot_scaler_ready_replicas)", "{{pool}} there"),
            ),
        ),
        Panel("Work that waits", "s", (("max by (pool, lane) (packshot_backlog_seconds)", "{{pool}} {{lane}}"),)),
        Panel("Work of campaigns", "s", (("max by (pool) (packshot_campaign_backlog_seconds)", "{{pool}}"),)),
        Panel(
            "Use of what is there",
            "percentunit",
            (
                (
                    rate("packshot_engine_seconds_total", "pool")
                    + " / (max by (pool) (packshot_scaler_ready_replicas) > 0)",
                    "{{pool}}",
                ),
            ),
            "Seconds of engines a second and replica.",
        ),
        Panel(
            "Spent an hour",
            "none",
            ((f"3600 * {rate('packshot_price_total', 'pool, operation')}", "{{pool}} {{operation}}"),),
            "In the currency of the prices, for tasks; what stands idle is not in it.",
        ),
        Panel("Spent a day", "none", (("sum by (tenant) (packshot_day_price)", "{{tenant}}"),)),
        Panel("Scaled by lag alone", "none", (("max by (pool) (packshot_scaler_without_facts)", "{{pool}}"),)),
        Panel("Urgent tasks ahead of a new one", "none", (("max by (pool) (packshot_admission_ahead)", "{{pool}}"),)),
        Panel(
            "Refused before any work",
            "none",
            ((f"sum by (pool) ({increase('packshot_admission_refused_total')})", "{{pool}}"),),
        ),
        Panel("A place in the urgent lane", "ms", (("max by (pool) (packshot_admission_place_ms)", "{{pool}}"),)),
    ),
)

BOARDS = (BUSINESS, FLOW, ENGINES, KAFKA, SCALING)
