"""A headless Chromium, driven by its own protocol, to see a page and click on it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One tab. Each call waits for its answer."""

    def __init__(self, address: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._address = address
        self._number = 0
        self.messages: list[str] = []  # errors and warnings of the pages
        self.requests: list[str] = []  # addresses that were requested
        self._loop.run_until_complete(self._connect())
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    async def _connect(self) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._address, max_msg_size=0)

    def close(self) -> None:
        self._loop.run_until_complete(self._session.close())
        self._loop.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The browser's answer to ``method`` of its protocol."""
        return self._loop.run_until_complete(self._call(method, parameters))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async for message in self._socket:
            content = json.loads(message.data)
            if content.get("id") == self._number:
                assert "error" not in content, content
                result: dict[str, Any] = content["result"]
                return result
            self._hear(content)
        raise RuntimeError("the browser has gone")

    def _hear(self, content: dict[str, Any]) -> None:
        parameters = content.get("params", {})
        if content["method"] == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif content["method"] == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.messages.append(details.get("exception", details).get("description", str(details)))
        elif content["method"] == "Log.entryAdded":
            self.messages.append(parameters["entry"]["text"])

    def open(self, address: str) -> None:
        """Opens a page and waits until every figure is drawn."""
        self.call("Page.navigate", url=address)
        self.wait_for("document.body && document.body.dataset.drawn === 'yes'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON can hold it."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> None:
        """Waits until the expression is true."""
        for _ in range(int(seconds * 20)):
            if self.evaluate(expression):
                return
            self._loop.run_until_complete(asyncio.sleep(0.05))
        raise AssertionError(f"not within {seconds} s: {expression}")

    def look(self, width: int, height: int, *, scheme: str = "light", media: str = "") -> None:
        """Shows pages as on a screen of this size."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def shoot(self, path: Path, *, whole: bool = False) -> None:
        """Takes a picture of the screen, or of the ``whole`` page."""
        clip = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {**size, "scale": 1}, "captureBeyondViewport": True}
        picture = self.call("Page.captureScreenshot", format="png", **clip)["data"]
        path.write_bytes(base64.b64decode(picture))

    def print(self, path: Path) -> None:
        """The page as a PDF."""
        path.write_bytes(
            base64.b64decode(
                self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"]
            )
        )


@contextmanager
def browser() -> Iterator[Browser]:
    """A new browser without any history. It contacts only the servers of the pages."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                CHROMIUM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            port = next(m[1] for line in lines if (m := re.search(r"ws://[^:]+:(\d+)/", line)))
            driven = Browser(_tab(port))
            try:
                yield driven
            finally:
                driven.close()
        finally:
            process.kill()
            process.wait()


def _tab(port: str) -> str:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        tabs = json.load(answer)
    address: str = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return address
