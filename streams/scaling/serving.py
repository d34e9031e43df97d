"""KEDA's external scaler over gRPC: the board's numbers, asked for or pushed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import structlog

from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import SettingsError
from streams.scaling import wire
from streams.scaling.board import METRIC, Board, read_metadata

STREAMS_MAX = 48  # each holds a thread for as long as it lasts
CALLS_MAX = 64  # so that 16 are left for who only asks
PUSHED_WITHIN_S = 1.0  # of a change; also how soon a caller that went away gives its thread back
MESSAGE_BYTES_MAX = 64 * 1024  # a ScaledObject's metadata are a few lines
GRACE_S = 2.0

log = structlog.get_logger()


class ExternalScaler:
    """The four calls. Bad metadata are INVALID_ARGUMENT naming the field, no number to go by is UNAVAILABLE."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._streams = threading.BoundedSemaphore(STREAMS_MAX)

    def is_active(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Whether any replica is wanted."""
        with _answered(context):
            return wire.IsActiveResponse(result=self._wanted(request) > 0)

    def stream_is_active(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """The same at once, and again whenever it changes, until either side ends it."""
        if not self._streams.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{STREAMS_MAX} streams are open")
        try:
            with _answered(context):
                yield from self._changes(request, context)
        finally:
            self._streams.release()

    def get_metric_spec(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The metric is the number of replicas itself: a target of one for each."""
        with _answered(context):
            read_metadata(request.scalerMetadata)
            return wire.GetMetricSpecResponse(metricSpecs=[wire.MetricSpec(metricName=METRIC, targetSizeFloat=1.0)])

    def get_metrics(self, request: Any, context: grpc.ServicerContext) -> Any:
        """How many replicas are wanted."""
        with _answered(context):
            if request.metricName != METRIC:
                raise Refused("unknown_metric", f"the metric is {METRIC}", field="metricName")
            wanted = self._wanted(request.scaledObjectRef)
            return wire.GetMetricsResponse(
                metricValues=[wire.MetricValue(metricName=METRIC, metricValueFloat=float(wanted))]
            )

    def _wanted(self, ref: Any) -> int:
        return self._board.wanted(ref.scalerMetadata)

    def _changes(self, ref: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        was_active: bool | None = None
        while context.is_active():
            active = self._wanted(ref) > 0
            if active is not was_active:
                was_active = active
                yield wire.IsActiveResponse(result=active)
            if not self._board.wait(PUSHED_WITHIN_S):
                return


@contextmanager
def _answered(context: grpc.ServicerContext) -> Iterator[None]:
    """What goes wrong, as gRPC's statuses."""
    try:
        yield
    except Refused as refusal:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{refusal.code}: {refusal.field}: {refusal.message}")
    except Unavailable as away:
        context.abort(grpc.StatusCode.UNAVAILABLE, str(away))


def serve(board: Board, host: str, port: int) -> tuple[grpc.Server, int]:
    """Answers from now on; the server, and its port where `port` is 0. Raises SettingsError for an address in use."""
    options = (
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_metadata_size", MESSAGE_BYTES_MAX),
    )
    pool = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="scaler")
    server = grpc.server(pool, options=options, maximum_concurrent_rpcs=CALLS_MAX)
    server.add_generic_rpc_handlers((_handler(ExternalScaler(board)),))
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise SettingsError(f"PACKSHOT_SCALER_HOST and _PORT: {address} cannot be listened at") from error
    server.start()
    log.info("listening", port=bound)
    return server, bound


def _handler(scaler: ExternalScaler) -> grpc.GenericRpcHandler:
    ref, unary = wire.ScaledObjectRef, grpc.unary_unary_rpc_method_handler
    methods = {
        "IsActive": _method(unary, scaler.is_active, ref),
        "StreamIsActive": _method(grpc.unary_stream_rpc_method_handler, scaler.stream_is_active, ref),
        "GetMetricSpec": _method(unary, scaler.get_metric_spec, ref),
        "GetMetrics": _method(unary, scaler.get_metrics, wire.GetMetricsRequest),
    }
    return grpc.method_handlers_generic_handler(wire.SERVICE, methods)


def _method(kind: Callable[..., Any], answer: Callable[..., Any], request: Any) -> Any:
    return kind(answer, request_deserializer=request.FromString, response_serializer=_encoded)


def _encoded(message: Any) -> bytes:
    return bytes(message.SerializeToString())
