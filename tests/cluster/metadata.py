"""An instance's metadata, with the notice of a spot interruption.

    python metadata.py

Runs as root on a host of the LAN, at the address that EC2's metadata have on every instance.
"""

from __future__ import annotations

import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS = "169.254.169.254"
ANSWERS = {
    ("PUT", "/latest/api/token"): "token",
    (
        "GET",
        "/latest/meta-data/spot/instance-action",
    ): '{"action": "terminate", "time": "2026-09-18T08:22:00Z"}',
}


class Metadata(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        text = ANSWERS.get((self.command, self.path), "")
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    HTTPServer((ADDRESS, 80), Metadata).serve_forever()
