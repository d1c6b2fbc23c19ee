"""Make the picture of a newsletter in the documentation, from the mail that a server delivered.

Usage, with the real servers running and Chromium installed:

    EHLO_TEST_SERVERS=DIR/servers.json python tests/interop/render.py

The newsletter of the gallery is sent to Postfix, taken from the Maildir, and its HTML is shown by a
browser without a window; nothing is fetched from any network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import ehlo  # noqa: E402 - found by the line above
from gallery.newsletters import newsletter_with_inline_images  # noqa: E402
from support.maildir import taken  # noqa: E402
from support.servers import VARIABLE, Servers  # noqa: E402
from support.shown import page  # noqa: E402

PICTURE = ROOT / "docs/_static/newsletter.png"
SIZE = "680,850"  # the page, and no more
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1.5", f"--window-size={SIZE}"),
)


def delivered_page(servers: Servers) -> str:
    """Send the newsletter, and return its HTML as it arrived."""
    message_id = f"{uuid.uuid4().hex}@example.org"
    message = newsletter_with_inline_images().replace(message_id=message_id)
    url = f"smtp://{servers.plain.host}:{servers.plain.port}"
    envelope = ehlo.Envelope("news@example.org", "erin@example.org")
    ehlo.blocking.send(message, url, envelope=envelope)
    return page(taken(servers.maildir / "erin", message_id))


def main() -> None:
    """Make the picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or VARIABLE not in os.environ:
        sys.exit(__doc__)
    html = delivered_page(Servers.load(Path(os.environ[VARIABLE])))
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "page.html").write_text(html, encoding="utf-8")
        where = (f"--user-data-dir={folder}/profile", f"--screenshot={PICTURE}")
        command = (browser, *FLAGS, *where, f"file://{folder}/page.html")
        subprocess.run(command, check=True, timeout=60, capture_output=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size} octets")


if __name__ == "__main__":
    main()
