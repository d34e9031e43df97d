"""Shops connected to a running system: the README's ten minutes as they stand there, and a real Vendure."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.servers import ServerUnavailable, vendure
from infra.servers.process import free_port
from tests.contracts.shops.vendure import SECRET
from tests.contracts.shops.vendure_real import RealVendure
from tests.e2e.system import ROOT, System, draw_product, running
from tests.servers import skip_or_fail

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]  # each step waits for what a busy machine does late
WITHIN_S = 900.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    around = {
        "PACKSHOT_EMBEDDED_BROKER": "memory",
        "PACKSHOT_CONNECTOR_PRIVATE_NETWORKS": "127.0.0.0/8",
        "PACKSHOT_SOURCE_PRIVATE_NETWORKS": "127.0.0.0/8",
        "PACKSHOT_GATEWAY_PORT": str(free_port()),
    }
    with running(tmp_path_factory.mktemp("connectors"), around) as started:
        yield started


def until(holds: Callable[[], Any], system: System) -> Any:
    """What `holds` returns once that is true."""
    give_up_at = time.monotonic() + WITHIN_S
    while not (found := holds()):
        assert time.monotonic() < give_up_at, system.log()
        time.sleep(0.5)
    return found


def wait_until_ready(system: System) -> None:
    script = "until curl -fsS $API/readyz; do sleep 0.5; done"
    api = f"http://127.0.0.1:{system.environment['PACKSHOT_GATEWAY_PORT']}"
    subprocess.run(["bash", "-c", script], env={**system.environment, "API": api}, check=True, timeout=WITHIN_S)


def approved(system: System) -> bool:
    """Lets what waits for a person pass; whether anything waited."""
    waiting = system.json("review", "list")
    for each in waiting:
        system.run("review", "approve", each["review_id"][:12])
    return bool(waiting)


def test_a_shop_is_connected_in_ten_minutes_as_the_readme_says(system: System, tmp_path: Path) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", (ROOT / "streams" / "connectors" / "README.md").read_text(), re.DOTALL)
    os.symlink(ROOT / "loadtest", tmp_path / "loadtest")
    path = f"{Path(sys.executable).parent}:{system.environment['PATH']}"
    shell = ["bash", "-euo", "pipefail", "-c", script]
    around = {**system.environment, "PATH": path}
    done = subprocess.run(
        shell, env=around, cwd=tmp_path, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:] + system.log()
    assert "1 products: " in done.stdout  # the role may have been faster
    assert ", 0 hindered" in done.stdout
    supplement = tmp_path / "feed" / "packshot-supplemental.tsv"
    until(lambda: supplement.exists() or (approved(system) and False), system)
    assert re.search(r"^MUG-1\thttp://127.0.0.1:\d+/demo/mug-1", supplement.read_text(), re.MULTILINE)
    (tmp_path / "feed" / "products.csv").write_text("id,title,image_link\nCUP-1,Cup,mug.jpg\n")
    until(lambda: "MUG-1" not in supplement.read_text(), system)
    assert [each["connector"] for each in system.json("connectors", "list")] == ["myshop"]
    assert system.json("connectors", "check", "myshop")["hindered"] == []
    system.run("connectors", "remove", "myshop")


@pytest.fixture(scope="module")
def shop(system: System) -> Iterator[RealVendure]:
    hook = f"http://127.0.0.1:{system.environment['PACKSHOT_GATEWAY_PORT']}/hooks/shop"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with vendure(Path(folder), ROOT / ".cache", hook, SECRET) as started:
                made = RealVendure(Path(folder), started)
                for colour in ((180, 60, 50), (60, 90, 160), (90, 130, 70)):
                    file = Path(folder) / "jar.png"
                    draw_product(file, colour)
                    made.pictures[f"jar-{colour[0]}.png"] = file.read_bytes()
                yield made
        except ServerUnavailable as missing:
            skip_or_fail(str(missing))


def test_a_vendure_shop_gets_pictures_that_follow_its_products(system: System, shop: RealVendure) -> None:
    wait_until_ready(system)
    fields = {"username": "superadmin", "password": "superadmin", "hook": SECRET}
    secrets = [word for name, value in fields.items() for word in ("--secret", f"{name}={value}")]
    where = ("--tenant", "demo", "--url", shop.shop.admin_api, "--channel", "amazon")
    system.run("connectors", "add", "vendure", "shop", *where, *secrets)
    until(lambda: system.json("connectors", "list")[0]["swept_at_ms"], system)

    shop.put("1", "Jar", 0, ("jar-180.png",))  # the plugin tells of it
    first = until(lambda: shop.shown("1"), system)
    assert (len(first), shop.theirs("1")) == (1, ["jar-180.png"])

    shop.photograph_again("1", "jar-60.png")
    second = until(lambda: [each for each in shop.shown("1") if each not in first], system)
    until(lambda: shop.shown("1") == second, system)
    assert shop.theirs("1") == ["jar-60.png"]
    assert len(shop.asset_names()) == 1

    system.kill()  # nobody hears the hook
    shop.photograph_again("1", "jar-90.png")
    system.start()
    third = until(lambda: [each for each in shop.shown("1") if each not in second], system)
    until(lambda: shop.shown("1") == third, system)
    assert system.json("connectors", "sync", "shop")["told"] == 0

    shop.remove("1")
    until(lambda: shop.asset_names() == [], system)
    until(lambda: [each for each in system.published() if each["type"] == "AssetRetracted"], system)
    assert system.json("audit", "--deep")["findings"] == []
