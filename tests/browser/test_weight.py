"""What the page weighs, and that it comes whole: from an installed wheel, to a machine without Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from playwright.async_api import expect

from bench.server import Server
from signaling.page import PAGE
from tests.browser.conftest import OpenPage
from tests.browser.test_page_scripted import ScriptedServer, barge_in, call, scripted
from tests.people import models_missing

__all__ = ["scripted"]  # a fixture

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "web/node_modules"
MOST_BYTES = 60_000
FIRST_PAINT_MS = 3_000
"""However busy the machine is; 0.3 s is usual."""
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"

Serve = Callable[[web.Application], Awaitable[str]]


@pytest.mark.browser
@pytest.mark.timeout(60)
async def test_a_call_loads_less_than_60_kb(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    """All files of the page together, also those that this call did not need; and beside them only the server's API."""
    tab = await call(scripted, serve, browser_page)
    await scripted.send(*barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_visible()
    paths = {urlsplit(url).path for url in tab.requests} - {"/"}
    loaded = {path.removeprefix("/") for path in paths if not path.startswith("/v1/")} - {"readyz"}
    assert {"app.js", "style.css"} <= loaded <= set(PAGE)
    assert sum(len(file.gzipped) for file in PAGE.values()) <= MOST_BYTES


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its traces beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for package in ("agent", "signaling"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # A setuptools that knows this pyproject.toml is taken as it is; else pip gets one, where it can.
    isolation = [] if int(version("setuptools").split(".")[0]) < 77 else ["--no-build-isolation"]
    command = [*PIP, "wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode and not isolation:
        pytest.skip(f"no setuptools of 77 or newer, and pip can not get one: {run.stderr[-300:]}")
    assert run.returncode == 0, run.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.timeout(120)
def test_the_wheel_has_the_page_and_nothing_that_builds_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        page = {name.rsplit("/", 1)[1]: archive.read(name) for name in names if name.startswith("signaling/static/")}
    assert page == {name: file.body for name, file in PAGE.items()}
    assert {name.split("/")[0].split("-")[0] for name in names} == {"agent", "signaling", "antiphon"}


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has the wheel and its dependencies, and no program at all."""
    target, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    command = [*PIP, "install", "--no-deps", "--no-index", "--no-compile", "--target", str(target), str(wheel)]
    subprocess.run(command, check=True)
    # PYTHONSAFEPATH: what lies in the folder that the tests run in is not found.
    environment = {"PYTHONPATH": str(target), "PYTHONSAFEPATH": "1", "PATH": str(empty)}
    asked = "import signaling.page, shutil; print(signaling.page.__file__, shutil.which('node'))"
    told = subprocess.run(
        [sys.executable, "-c", asked], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [str(target / "signaling/page.py"), "None"]
    return environment


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here")
@pytest.mark.timeout(120)
async def test_an_installed_wheel_shows_the_page_where_there_is_no_node(
    installed: dict[str, str], browser_page: OpenPage
) -> None:
    async with Server(installed) as server:
        tab = await browser_page()
        await tab.page.goto(server.url)
        await expect(tab.page.get_by_test_id("start")).to_be_enabled()
        await tab.until(f"({PAINTED}) !== null")
        assert await tab.page.evaluate(PAINTED) < FIRST_PAINT_MS
        assert tab.unexpected() == []


@pytest.mark.skipif(not MODULES.is_dir(), reason="what builds the page is not here: make lint installs it")
@pytest.mark.timeout(60)
def test_a_rebuild_gives_the_same_bytes_and_one_other_byte_is_found(tmp_path: Path) -> None:
    """In another folder; `make lint` asks the same of this one."""
    for folder in ("web", "signaling/static"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "web/node_modules").symlink_to(MODULES)

    def built() -> subprocess.CompletedProcess[str]:
        command = ["node", "scripts/built.mjs"]
        return subprocess.run(command, cwd=tmp_path / "web", capture_output=True, text=True, check=False)

    same = built()
    assert same.returncode == 0, same.stderr
    with (tmp_path / "signaling/static/app.js").open("a") as script:
        script.write(" ")
    other = built()
    assert other.returncode == 1
    assert "app.js" in other.stderr
