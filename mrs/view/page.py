"""viser's page, drawn more cheaply by browsers that have no GPU."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIGHT = """<script>
/* mrs: where programs draw instead of a GPU, smooth edges cost a quarter of a frame, and a picture that the page has to stretch another tenth. */
(() => {
  const where = new URL(location.href);
  if (where.searchParams.has("smooth")) return;
  const probe = document.createElement("canvas").getContext("webgl"), told = probe && probe.getExtension("WEBGL_debug_renderer_info");
  const name = told ? probe.getParameter(told.UNMASKED_RENDERER_WEBGL) : "";
  if (probe) probe.getExtension("WEBGL_lose_context")?.loseContext();
  if (!/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name)) return;
  const asked = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, how, ...rest) {
    return asked.call(this, kind, kind.startsWith("webgl") ? { ...how, antialias: false } : how, ...rest);
  };
  if (where.searchParams.has("fixedDpr")) return;
  where.searchParams.set("fixedDpr", "1");
  history.replaceState(null, "", where);
})();
</script>"""


@contextlib.contextmanager
def lightened() -> Iterator[tempfile.TemporaryDirectory | None]:
    """Let viser servers that are made inside serve their page with LIGHT in it; yield the folder of that page, to be kept as long.

    viser has no setting for its page. Where it keeps it otherwise than is known here, it is served as it is, and None is yielded.
    """
    import viser

    made: Any = getattr(viser.infra, "WebsockServer", None)
    page = Path(viser.__file__).parent / "client/build/index.html"
    if made is None or not page.is_file() or "<head>" not in (text := page.read_text(encoding="utf-8")):
        yield None
        return
    folder = tempfile.TemporaryDirectory(prefix="mrs-view-")
    root = Path(folder.name) / "page"
    shutil.copytree(page.parent, root)
    (root / page.name).write_text(text.replace("<head>", "<head>\n" + LIGHT, 1), encoding="utf-8")

    def ours(*args: Any, **how: Any) -> Any:
        return made(*args, **(how | ({"http_server_root": root} if how.get("http_server_root") == page.parent.resolve() else {})))

    viser.infra.WebsockServer = ours  # type: ignore[misc,assignment]
    try:
        yield folder
    finally:
        viser.infra.WebsockServer = made  # type: ignore[misc]
