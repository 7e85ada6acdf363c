"""Headless Chromium by its command line: pages in frames of several widths, and what a script beside them finds."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WIDTHS = (360, 800, 1440)
HEIGHT = 1000
_QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
_QUIET += ("--disable-background-networking", "--disable-component-update", "--force-device-scale-factor=1")

# Looks at every frame once it is laid out; the answers become the text of the document.
_LOOK = """
<script>
window.faults = [];
const frames = [...document.querySelectorAll("iframe")];
const wide = (d) => [...d.querySelectorAll("body *")].filter((e) => !e.closest(".dx-scroll") && !e.closest("svg")
  && e.getBoundingClientRect().right > d.documentElement.clientWidth + 1)
  .slice(0, 3).map((e) => e.outerHTML.slice(0, 90));
const shows = (d, s) => [...d.querySelectorAll(s)].filter((e) => e.getClientRects().length).length;
async function look(frame) {
  const w = frame.contentWindow, d = frame.contentDocument, found = {name: frame.name, width: frame.clientWidth};
  found.overflow = d.documentElement.scrollWidth > d.documentElement.clientWidth ? wide(d) : [];
  found.requests = w.performance.getEntriesByType("resource").map((r) => r.name);
  found.ink = w.getComputedStyle(d.body).color;
  const idea = d.querySelector(".dx-idea");
  if (idea) {
    const seen = () => shows(d, ".dx-list") + shows(d, ".dx-trust");
    found.folded = [seen()];
    for (const text of ["m", "measles", ""]) { idea.value = text; found.folded.push(seen()); }
    idea.value = "measles";
  }
  if (window.axe_source && frame.clientWidth === 800) {
    d.querySelectorAll("details").forEach((e) => { e.open = true; });
    w.eval(window.axe_source);
    const result = await w.axe.run(d, {resultTypes: ["violations"]});
    found.axe = result.violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 160)]);
    found.passes = result.passes.length;
  }
  return found;
}
window.addEventListener("load", async () => {
  const found = [];
  for (const frame of frames) {
    try { found.push(await look(frame)); } catch (e) { found.push({name: frame.name, error: String(e)}); }
  }
  document.body.innerHTML = "";
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>
"""


def chromium() -> str | None:
    """Return where Chromium is, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for found in map(shutil.which, names) if found), None)


def look(
    pages: Mapping[str, str], folder: Path, *, dark: bool, axe: str | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Open pages in frames of every width; return what was found in each and what the console said."""
    frames = "".join(
        f'<iframe name="{html.escape(name)}" width="{width}" height="{HEIGHT}" style="border:0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.items()
        for width in WIDTHS
    )
    source = "" if axe is None else f"<script>window.axe_source = {_in_script(axe)};</script>"
    file = folder / "look.html"
    scheme = f'<meta charset="utf-8"><meta name="color-scheme" content="{"dark" if dark else "light"}">'
    file.write_text(f"<!DOCTYPE html>{scheme}<body>{source}{frames}{_LOOK}</body>", encoding="utf-8")
    done = _run(dark, "--enable-logging=stderr", "--virtual-time-budget=120000", "--dump-dom", file.as_uri())
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(found[1])), said


def picture(page: str, file: Path, width: int, height: int, *, dark: bool) -> None:
    """Write a PNG of the first `height` pixels of a page."""
    holder = file.with_suffix(".html")
    size = f'width="{width}" height="{height}" style="border:0;display:block"'
    frame = f'<iframe {size} srcdoc="{html.escape(page)}"></iframe>'
    holder.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">{frame}</body>', encoding="utf-8")
    window = f"--window-size={width},{height + 200}"
    _run(dark, "--virtual-time-budget=5000", window, f"--screenshot={file}", holder.as_uri())
    holder.unlink()
    from PIL import Image

    with Image.open(file) as image:
        small = image.crop((0, 0, width, height)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(file, optimize=True)


def _run(dark: bool, *options: str) -> subprocess.CompletedProcess[str]:
    program = chromium()
    assert program, "no Chromium was found"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [program, *_QUIET, scheme, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def _in_script(text: str) -> str:
    return json.dumps(text).replace("</", "<\\/")
