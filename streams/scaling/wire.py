"""The messages of KEDA's external scaler, made from a table: so few need no compiler and no code that it wrote.

`externalscaler.proto` beside this says the same in the field's own language.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "externalscaler"
SERVICE = f"{PACKAGE}.ExternalScaler"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "bool": _Field.TYPE_BOOL, "double": _Field.TYPE_DOUBLE}

MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "ScaledObjectRef": (
        (1, "string", "name"),
        (2, "string", "namespace"),
        (3, "map<string, string>", "scalerMetadata"),
    ),
    "IsActiveResponse": ((1, "bool", "result"),),
    "MetricSpec": ((1, "string", "metricName"), (3, "double", "targetSizeFloat")),
    "GetMetricSpecResponse": ((1, "repeated MetricSpec", "metricSpecs"),),
    "GetMetricsRequest": ((1, "ScaledObjectRef", "scaledObjectRef"), (2, "string", "metricName")),
    "MetricValue": ((1, "string", "metricName"), (3, "double", "metricValueFloat")),
    "GetMetricsResponse": ((1, "repeated MetricValue", "metricValues"),),
}
"""Each message's fields: number, type, name."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="packshot/externalscaler.proto", package=PACKAGE, syntax="proto3")
    for name, its in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, kind, field in its:
            _add(message, name, number, kind, field)
    return file


def _add(message: descriptor_pb2.DescriptorProto, of: str, number: int, kind: str, name: str) -> None:
    """One field. A map is a repeated entry of a key and a value, as protobuf has it on the wire."""
    repeated, kind = kind.startswith(("repeated ", "map<")), kind.removeprefix("repeated ")
    field = message.field.add(
        name=name, number=number, label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    )
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = _Field.TYPE_MESSAGE
    field.type_name = f".{PACKAGE}.{kind}"
    if kind == "map<string, string>":
        entry = message.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
        entry.options.map_entry = True
        for at, part in enumerate(("key", "value"), start=1):
            entry.field.add(name=part, number=at, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
        field.type_name = f".{PACKAGE}.{of}.{entry.name}"


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())
_classes: dict[str, Any] = {
    name: message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES
}
ScaledObjectRef = _classes["ScaledObjectRef"]
IsActiveResponse = _classes["IsActiveResponse"]
MetricSpec = _classes["MetricSpec"]
GetMetricSpecResponse = _classes["GetMetricSpecResponse"]
GetMetricsRequest = _classes["GetMetricsRequest"]
MetricValue = _classes["MetricValue"]
GetMetricsResponse = _classes["GetMetricsResponse"]
