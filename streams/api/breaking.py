"""What a client of the API as it was would trip over, found by comparing two descriptions of it.

What is sent may only be taken more freely, what is answered may only say more. An answer may name a kind of record
that was not known, and an enumeration may grow there: clients are told to leave out what they do not know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Description = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
UNION = ("oneOf", "anyOf")


def breaking(before: Description, after: Description) -> list[str]:
    """Each thing that a client of `before` would trip over at `after`, as a sentence, in order; none if it would not.

    Both are OpenAPI 3.1 descriptions as dictionaries.
    """
    known = {(path, method): operation for path, method, operation in operations(after)}
    comparison = Comparison(before, after)
    for path, method, operation in operations(before):
        name, now = f"{method} {path}", known.get((path, method))
        if now is None:
            comparison.found.add(f"{name} is gone")
        else:
            comparison.operation(name, operation, now)
    return sorted(comparison.found)


def operations(made: Description) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation: its path, its method, itself."""
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


@dataclass
class Comparison:
    """What was found between two descriptions, and which pairs of schemas were looked at."""

    before: Description
    after: Description
    found: set[str] = field(default_factory=set)
    _seen: set[tuple[str, str, bool]] = field(default_factory=set)

    def operation(self, name: str, was: Description, now: Description) -> None:
        """An operation that is still there."""
        self._parameters(name, was, now)
        self._body(name, was, now)
        self._answers(name, was, now)
        if now.get("security") and not was.get("security"):
            self.found.add(f"{name} needs a key")

    def _parameters(self, name: str, was: Description, now: Description) -> None:
        old, new = ({(each["name"], each["in"]): each for each in one.get("parameters", ())} for one in (was, now))
        self.found |= {f"{name} takes no {key[0]} any more" for key in old.keys() - new.keys()}
        for key, each in new.items():
            if each.get("required") and not old.get(key, {}).get("required"):
                self.found.add(f"{name} needs {key[0]}")
            if key in old:
                self._schema(f"{name}: {key[0]}", old[key].get("schema", {}), each.get("schema", {}), is_sent=True)

    def _body(self, name: str, was: Description, now: Description) -> None:
        old, new = was.get("requestBody") or {}, now.get("requestBody") or {}
        if new.get("required") and not old.get("required"):
            self.found.add(f"{name} needs a body")
        self._content(f"{name} takes no", old, new, is_sent=True)

    def _answers(self, name: str, was: Description, now: Description) -> None:
        for status, old in was["responses"].items():
            new = now["responses"].get(status)
            if new is None:
                self.found.add(f"{name} never answers {status}")
                continue
            old, new = self._referred(old, self.before), self._referred(new, self.after)
            self.found |= {
                f"{name} answers {status} without {header}"
                for header in (old.get("headers") or {}).keys() - (new.get("headers") or {}).keys()
            }
            self._content(f"{name} answers {status} without", old, new, is_sent=False)

    def _content(self, name: str, was: Description, now: Description, *, is_sent: bool) -> None:
        """Bodies by their media types."""
        old, new = was.get("content") or {}, now.get("content") or {}
        self.found |= {f"{name} {media_type}" for media_type in old.keys() - new.keys()}
        for media_type in old.keys() & new.keys():
            where = f"{name.rpartition(' ')[0]} {media_type}"
            self._schema(where, old[media_type].get("schema", {}), new[media_type].get("schema", {}), is_sent=is_sent)

    def _schema(self, name: str, was: Description, now: Description, *, is_sent: bool) -> None:
        """Whether what fits `was` still does where it is sent, or is all that comes where it is answered."""
        names = was.get("$ref", "").rpartition("/")[2], now.get("$ref", "").rpartition("/")[2]
        if all(names):
            if (*names, is_sent) in self._seen:
                return
            self._seen.add((*names, is_sent))
        name = names[0] or name
        whole = self._referred(was, self.before), self._referred(now, self.after)
        if is_sent:  # bounds stand beside a union, too
            self.found |= {f"{name} is narrower in its {bound}" for bound in _narrower(*whole)}
        old, new = self._options(was, self.before), self._options(now, self.after)
        if len(old) == len(new) == 1:
            self._one(name, *whole, is_sent=is_sent)
        else:
            self._union(name, old, new, is_sent=is_sent)

    def _one(self, name: str, was: Description, now: Description, *, is_sent: bool) -> None:
        self._kind(name, was, now, is_sent=is_sent)
        self._fields(name, was, now, is_sent=is_sent)
        for part, suffix in (("items", "[]"), ("additionalProperties", ".*")):
            old, new = was.get(part), now.get(part)
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                self._schema(name + suffix, old, new, is_sent=is_sent)
            elif is_sent and old is not False and new is False and part == "additionalProperties":
                self.found.add(f"{name} takes no other fields")

    def _union(self, name: str, was: Sequence[Description], now: Sequence[Description], *, is_sent: bool) -> None:
        old, new = ({_key(each): each for each in one} for one in (was, now))
        if is_sent:
            self.found |= {f"{name} takes no {key} any more" for key in old.keys() - new.keys()}
        else:
            self.found |= {f"{name} may be {key}" for key in new.keys() - old.keys() if "$ref" not in new[key]}
        for key in old.keys() & new.keys():
            self._schema(name, old[key], new[key], is_sent=is_sent)

    def _kind(self, name: str, was: Description, now: Description, *, is_sent: bool) -> None:
        """Its type and its enumeration."""
        old, new = _types(was), _types(now)
        wide, narrow = (new, old) if is_sent else (old, new)
        if wide and not (narrow and narrow <= wide):
            self.found.add(f"{name} is of another type")
        values, kept = _values(was), _values(now)
        if kept is not None and values is not None and (lost := values - kept):
            self.found.add(f"{name} is never {', '.join(sorted(lost))}")
        elif is_sent and values is None and kept is not None:
            self.found.add(f"{name} is only one of {', '.join(sorted(kept))}")

    def _fields(self, name: str, was: Description, now: Description, *, is_sent: bool) -> None:
        old, new = was.get("properties", {}), now.get("properties", {})
        self.found |= {f"{name}.{each} is gone" for each in old.keys() - new.keys()}
        needed, given = set(now.get("required", ())), set(was.get("required", ()))
        if is_sent:
            self.found |= {f"{name}.{each} is needed" for each in needed - given}
        else:
            self.found |= {f"{name}.{each} may be missing" for each in (given - needed) & new.keys()}
        for each in old.keys() & new.keys():
            self._schema(f"{name}.{each}", old[each], new[each], is_sent=is_sent)

    def _options(self, schema: Description, made: Description) -> Sequence[Description]:
        """The branches of a union; of all else, itself."""
        referred = self._referred(schema, made)
        return next((referred[each] for each in UNION if each in referred), (schema,))

    @staticmethod
    def _referred(part: Description, made: Description) -> Description:
        """What a part refers to, else itself."""
        while "$ref" in part:
            place: Any = made
            for step in part["$ref"].removeprefix("#/").split("/"):
                place = place[step]
            part = place
        return part


def _key(branch: Description) -> str:
    """What tells a branch of a union from the others: the record it names, else its type."""
    return branch.get("$ref", "").rpartition("/")[2] or "/".join(sorted(_types(branch))) or "anything"


def _types(schema: Description) -> set[str]:
    """Its types; a number may be an integer, and nothing said is anything."""
    said = schema.get("type", ())
    types = {said} if isinstance(said, str) else set(said)
    return types | {"integer"} if "number" in types else types


def _values(schema: Description) -> set[str] | None:
    """The values that it may have, or None where that is not said."""
    if "const" in schema:
        return {str(schema["const"])}
    return {str(each) for each in schema["enum"]} if "enum" in schema else None


def _narrower(was: Description, now: Description) -> Iterator[str]:
    """The bounds that let less through."""
    yield from (each for each in LEAST if each in now and now[each] > was.get(each, float("-inf")))
    yield from (each for each in MOST if each in now and now[each] < was.get(each, float("inf")))
    if "pattern" in now and now["pattern"] != was.get("pattern"):
        yield "pattern"
