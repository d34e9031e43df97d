"""Types are ready to decode before any thread may decode one."""

import subprocess
import sys
import textwrap

import pytest

UNREADY = """
    import importlib, pkgutil, sys
    import msgspec

    import gpu_workers, schemas, streams

    for package in (schemas, streams, gpu_workers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ImportError as missing:  # an engine that is not installed here
                    print("not imported:", module.name, missing, file=sys.stderr)

    def below(kind):
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    def is_gathered_now(kind):
        gathered = []
        note = lambda frame, event, _: gathered.append(1) if "annotations" in frame.f_code.co_name else None
        sys.setprofile(note)
        try:
            msgspec.convert(object(), kind)
        except msgspec.ValidationError:
            pass
        finally:
            sys.setprofile(None)
        return bool(gathered)

    class Fresh(msgspec.Struct):
        one: int

    assert is_gathered_now(Fresh) and not is_gathered_now(Fresh)
    roots = ("schemas.", "streams.", "gpu_workers.")
    ours = [each for each in below(msgspec.Struct) if each.__module__.startswith(roots)]
    print(len(ours), *sorted(each.__name__ for each in ours if not each.__subclasses__() and is_gathered_now(each)))
"""


def test_every_type_is_ready_when_its_module_is_imported() -> None:
    program = [sys.executable, "-c", textwrap.dedent(UNREADY)]
    count, *unready = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert int(count) > 50
    assert unready == []


@pytest.mark.parametrize("interpreters", [8, pytest.param(40, marks=pytest.mark.long)])
def test_fresh_interpreters_survive_when_six_threads_decode_at_once(interpreters: int) -> None:
    program = [sys.executable, "-m", "tests.schemas.first_decode"]
    ended = [subprocess.run(program, check=False, timeout=120).returncode for _ in range(interpreters)]
    assert ended == [0] * interpreters
