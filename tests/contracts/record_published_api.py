"""Writes published_api.json: what the published TensorRT, CUDA and pycuda packages offer, by class and member.

    python -m tests.contracts.record_published_api FOLDER

FOLDER holds wheels of tensorrt-cu13-bindings, cuda-bindings and cuda-pathfinder for this Python (`pip download
--no-deps`), and pycuda's source archive.
No GPU, driver or TensorRT library is needed, only a C compiler: TensorRT's module loads against empty libraries, and
then says its names, parameters and enum values itself. pycuda ships no wheel; its names are read out of its source.

A member is recorded as null (an attribute, or parameters unknown), as a number (an enum's value), or as the lists of
parameters that it can be called with; "=" after a parameter says that it may be left out.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.contracts import tensorrt_stand_in

FILE = Path(__file__).with_name("published_api.json")
Member = int | list[list[str]] | None
Api = dict[str, dict[str, Member]]  # by class, "" for the module's own functions

_LIBRARIES = ("libnvinfer.so.11", "libnvinfer_plugin.so.11", "libnvonnxparser.so.11")


def main(folder: Path) -> None:
    """Writes FILE anew."""
    wheels, pycuda = sorted(folder.glob("*.whl")), next(folder.glob("pycuda-*.tar.gz"))
    with tempfile.TemporaryDirectory() as scratch:
        for wheel in wheels:
            zipfile.ZipFile(wheel).extractall(scratch)
        _compile_empty_libraries(Path(scratch) / "tensorrt_bindings")
        sys.path.insert(0, scratch)
        recorded = {
            "packages": [
                file.name.split("-cp")[0].split("-py")[0].removesuffix(".tar.gz") for file in (*wheels, pycuda)
            ],
            "tensorrt": _of_module(import_module("tensorrt_bindings"), tensorrt_stand_in.TENSORRT),
            "cuda.bindings.driver": _of_module(import_module("cuda.bindings.driver"), tensorrt_stand_in.BINDINGS),
            "pycuda.driver": _of_pycuda(_source(pycuda)),
        }
    FILE.write_text(_one_class_a_line(recorded), encoding="utf-8")


def _one_class_a_line(recorded: dict[str, Any]) -> str:
    packages = json.dumps(recorded["packages"])
    modules = [
        f"{json.dumps(module)}: {{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(api[name], sort_keys=True)}" for name in sorted(api))
        + "\n}"
        for module, api in recorded.items()
        if module != "packages"
    ]
    return f'{{"packages": {packages},\n' + ",\n".join(modules) + "}\n"


def _compile_empty_libraries(folder: Path) -> None:
    """What tensorrt.so is linked against, beside it, where it looks first; each holds every symbol it wants."""
    missing = subprocess.run(["nm", "-D", "-u", folder / "tensorrt.so"], capture_output=True, text=True, check=True)
    names = re.findall(r"U (create\w+_INTERNAL|get\w+Registry|getNv\w+|initLib\w+)$", missing.stdout, re.MULTILINE)
    source = folder / "empty.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in names))
    for library in _LIBRARIES:
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", folder / library], check=True)


def _of_module(module: Any, stand_ins: tuple[Any, ...]) -> Api:
    """All members of the classes that the stand-in has, and the functions that it has."""
    api: Api = {"": {}}
    for name in (stand_in.__name__ for stand_in in stand_ins):
        published = getattr(module, name)
        if isinstance(published, type):
            api.update(_of_class(published, name))
        else:
            api[""][name] = _parameters(published)
    return api


def _of_class(published: type, name: str) -> Api:
    members = {key: getattr(published, key) for key in dir(published) if not key.startswith("_")}
    api: Api = {name: {"__init__": _parameters(published.__init__)}}  # type: ignore[misc]
    for key, value in members.items():
        if isinstance(value, type):
            api.update(_of_class(value, f"{name}.{key}"))
        elif key in getattr(published, "__members__", {}):
            api[name][key] = value.value if isinstance(value, Enum) else int(value)
        else:
            api[name][key] = _parameters(value)
    return api


def _parameters(function: Any) -> Member:
    """From the first lines of the docstrings that pybind11 and Cython write."""
    name, lines = getattr(function, "__name__", ""), (getattr(function, "__doc__", None) or "").splitlines()
    # Defaults may be written <like: this>, and callables [[like], this].
    signatures = [re.sub(r"<[^>]*>|\[\[.*?\].*?\]", "…", line) for line in lines]
    found = (re.match(rf"(?:\d+\. )?{re.escape(name)}\((.*?)\)(?: ->|$)", line) for line in signatures)
    overloads = [_names(match[1]) for match in found if match and not match[1].startswith("*args")]
    return overloads or None


def _names(parameters: str) -> list[str]:
    """`self: A, b: typing.SupportsInt = 0, unsigned long long c` gives b= and c."""
    parts = [part.strip() for part in re.sub(r"\[[^]]*\]", "", parameters).split(",") if part.strip()]
    named = [(re.split(r"[:=]", part)[0].split()[-1], "=" if "=" in part else "") for part in parts]
    return [name + optional for name, optional in named if name != "self"]


def _source(archive: Path) -> str:
    with tarfile.open(archive) as files:
        member = next(name for name in files.getnames() if name.endswith("src/wrapper/wrap_cudadrv.cpp"))
        file = files.extractfile(member)
        assert file is not None
        return file.read().decode()


def _of_pycuda(source: str) -> Api:
    """Its classes, methods and functions as its Boost.Python source declares them."""
    api: Api = {"": {}}
    name = ""
    for kind, key, rest in _declarations(source):
        if kind.startswith("py::class_"):
            name = key
            api[name] = {}
        elif kind == "DECLARE_EXC(":
            api[key] = {}
        else:
            holder = "" if kind in ("py::def(", "DEF_SIMPLE_FUNCTION(") else name
            api[holder][key] = _boost_parameters(rest)
    return {key: members for key, members in api.items() if key in ("", *_pycuda_classes())}


def _pycuda_classes() -> list[str]:
    return [thing.__name__ for thing in tensorrt_stand_in.PYCUDA if isinstance(thing, type)]


def _declarations(source: str) -> Iterator[tuple[str, str, str]]:
    """What kind of declaration, the name that it declares, and the text up to the next."""
    start = r"py::class_<[^(]*\(|\.def\(|\.def_readonly\(|\.add_property\(|py::def\(|\.?DEF_SIMPLE_\w+\(|DECLARE_EXC\("
    found = list(re.finditer(rf"({start})\s*\"?(\w+)", source))
    ends = [*(match.start() for match in found[1:]), len(source)]
    for match, end in zip(found, ends, strict=True):
        yield match[1].removeprefix("."), match[2], source[match.end() : end]


def _boost_parameters(rest: str) -> Member:
    groups = re.findall(r"py::args?\(([^)]*)\)(\s*=)?", rest)
    names = [(name, optional) for group, optional in groups for name in re.findall(r"\"(\w+)\"", group)]
    return [[name + optional.strip() for name, optional in names if name != "self"]] if names else None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
