"""Write the golden reports anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

from shadowproxy.report.render import FORMATS
from tests.report.golden.log import FILES, HERE, made

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        found = made(Path(scratch))
    for form, name in FILES.items():
        (HERE / name).write_text(FORMATS[form](found), encoding="utf-8")
        print(f"wrote {HERE / name}")
