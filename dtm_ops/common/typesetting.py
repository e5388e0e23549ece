"""PDFs with typst, in the process. What people typed reaches a template as JSON, never as markup.

Only the fonts that come with typst (Libertinus: Latin, Cyrillic with Kazakh) and no packages: the same page on every
machine, without a network.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import typst

# Where a file says when it was made: the same bytes whenever it is made again.
_NO_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)


def render_pdf(template_path: Path, data: Mapping[str, Any]) -> bytes:
    """The template reads ``data`` by ``json(bytes(sys.inputs.data))``. Equal data make equal bytes."""
    made = _compile(template_path, data, file_format="pdf")
    return made if isinstance(made, bytes) else b"".join(made)


def render_pages(template_path: Path, data: Mapping[str, Any], *, ppi: float = 96) -> list[bytes]:
    """The same as pictures (PNG), one a page."""
    made = _compile(template_path, data, file_format="png", ppi=ppi)
    return [made] if isinstance(made, bytes) else list(made)


def _compile(
    template_path: Path, data: Mapping[str, Any], *, file_format: Literal["pdf", "png"], ppi: float | None = None
) -> bytes | list[bytes]:
    made = typst.compile(
        template_path,
        root=template_path.parent,
        format=file_format,
        ppi=ppi,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False, sort_keys=True)},
        ignore_system_fonts=True,
        package_path=os.devnull,
        package_cache_path=os.devnull,
        timestamp=_NO_MOMENT,
    )
    return made if made is not None else []
