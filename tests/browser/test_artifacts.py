"""What a browser test that fails leaves behind: tried on tests that do, in a pytest of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

INNER = """
import logging
from contextlib import suppress
from pathlib import Path

from bench.server import Server
from tests.browser import conftest
from tests.browser.test_page_scripted import call, scripted

conftest.ARTIFACTS = Path(__file__).parent / "artifacts"

async def test_that_fails(scripted, serve, browser_page):
    tab = await call(scripted, serve, browser_page)
    await tab.page.evaluate("console.error('the page is unhappy')")
    logging.getLogger("signaling").info("a server in the process of the test")
    with suppress(RuntimeError):
        async with Server({"ANTIPHON__LIMITS__PEER_GONE_S": "a while"}):
            pass
    assert not "what it wanted"

async def test_whose_tab_is_gone(browser_page):
    tab = await browser_page()
    await tab.page.close()
    assert not "what it wanted"

async def test_after_the_call(scripted, serve, browser_page):
    tab = await call(scripted, serve, browser_page)
    await tab.page.get_by_test_id("hangup").click()
    await scripted.hung_up.wait()
    assert not "what it wanted"

async def test_that_passes(browser_page):
    await browser_page()
"""


def test_a_failure_leaves_screenshot_console_stats_and_server_log(tmp_path: Path) -> None:
    """And a test that passes leaves nothing, and a tab that is gone does not hide why the test failed."""
    (tmp_path / "test_inner.py").write_text(INNER)
    plugins = ["-p", "tests.conftest", "-p", "tests.browser.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), *plugins, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "no browser" in run.stdout:
        pytest.skip("no browser")
    assert "3 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    left = {path.name: path.read_bytes() for path in (tmp_path / "artifacts").iterdir()}
    assert left["test_that_fails-0.png"].startswith(b"\x89PNG")
    assert b"error: the page is unhappy" in left["test_that_fails-0.console.log"]
    assert b"app.js" in left["test_that_fails-0.console.log"]
    for test, connection in (("test_that_fails", "connected"), ("test_after_the_call", "closed")):
        (peer,) = json.loads(left[f"{test}-0.stats.json"])
        assert peer["connection"] == connection
        assert {"inbound-rtp", "outbound-rtp"} <= {report["type"] for report in peer["stats"]}
    assert b"a server in the process of the test" in left["test_that_fails.server.log"]
    assert b"limits.peer_gone_s" in left["test_that_fails.server.log"]
    assert b"not all could be looked at" in left["test_whose_tab_is_gone-0.console.log"]
    assert not [name for name in left if "passes" in name]
