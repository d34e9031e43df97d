"""What the environment says of settings: a value in the variable itself or, for a secret, in the file that
`<variable>_FILE` names, as secrets are mounted into containers."""

import os
from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from streams.runtime.addresses import SecretStr
from streams.runtime.fields import Wrong

SUFFIX = "_FILE"
SECRET_BYTES_MAX = 64 * 1024


def secrets_of(of: Any) -> list[str]:
    """The names of the settings that nothing shows."""
    return [each.name for each in fields(of) if any(_is_secret(kind) for kind in get_args(each.type))]


def said(of: Any, variable: Callable[[str], str], given: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Values by settings' names, but of those given, and what is wrong; the environment's own names are in any case.

    `variable` has the variable of a setting. No secret is shown in what is wrong.
    """
    environment = {name.upper(): value for name, value in os.environ.items()}
    names = [each.name for each in fields(of) if each.name not in given]
    found = {name: environment[variable(name)] for name in names if variable(name) in environment}
    wrong = []
    for name in set(names) & set(secrets_of(of)):
        file = environment.get(variable(name) + SUFFIX)
        try:
            if file is not None:
                found[name] = _of_file(file, name in found, variable(name))
        except Wrong as why:
            wrong.append(f"{variable(name)}{SUFFIX}: {why}")
    return found, sorted(wrong)


def _is_secret(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, SecretStr)


def _of_file(file: str, is_said: bool, variable: str) -> str:
    """The secret in a file, without the end of its line. Raises Wrong."""
    if is_said:
        raise Wrong(f"{variable} is set, too: one of them is to say it")
    try:
        with Path(file).open("rb") as secret:
            data = secret.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise Wrong(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > SECRET_BYTES_MAX:
        raise Wrong(f"{file} has more than {SECRET_BYTES_MAX} bytes, and is no secret's")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:  # its message would show what is in it
        raise Wrong(f"{file} is no text in UTF-8") from None
