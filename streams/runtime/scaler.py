"""The settings of who says how many workers there are to be."""

from dataclasses import dataclass

from streams.runtime.fields import Field, NonNegativeFloat, PositiveFloat, PositiveInt


@dataclass(frozen=True, init=False)
class ScalerSettings:
    """They are part of Settings."""

    scaler_host: str = Field("127.0.0.1", description="The address at which the scaler answers KEDA, by gRPC.")
    scaler_port: PositiveInt = Field(8090, le=65535, description="Its port.")
    scaler_interval_s: PositiveFloat = Field(
        15.0, le=300.0, description="How often the scaler looks at topics and facts, in seconds."
    )
    scaler_cold_start_s: NonNegativeFloat = Field(
        300.0,
        le=1800.0,
        description="How long a new worker is assumed to take until it works, in seconds, until that was measured.",
    )
    scaler_urgent_s: PositiveFloat = Field(
        120.0, description="Within how many seconds an urgent task without a deadline is to be done."
    )
    scaler_standard_s: PositiveFloat = Field(600.0, description="The same of a standard task.")
    scaler_bulk_s: PositiveFloat = Field(43_200.0, description="The same of a bulk task.")
    scaler_task_s: PositiveFloat = Field(
        1.0, description="Seconds of a worker that a task is assumed to take while no task has ended lately."
    )
    scaler_worker_cores: PositiveFloat = Field(
        4.0, description="Cores of one worker: a task takes its share of the engine, or of these, whichever is more."
    )
    scaler_use: PositiveFloat = Field(
        0.85,
        le=1.0,
        description="The share of a worker's time that is planned for; the rest is for chance.",
    )
    scaler_budget_hour: NonNegativeFloat | None = Field(
        None,
        description="What the workers of one pool may cost in an hour, at PACKSHOT_PRICE_ENGINE_HOUR each; unset, any.",
    )
