"""What the recorder must not cost production.

The supervisor asks the same of the children that it starts; this holds for a recorder that was started otherwise, too.
"""

from __future__ import annotations

from typing import Final

from shadowproxy.pairlog import restraint

NICE: Final = 12
OOM_SCORE_ADJ: Final = 500
MEMORY_BYTES: Final = 4 << 30


def restrain() -> None:
    restraint.restrain(restraint.Restraint(NICE, OOM_SCORE_ADJ, MEMORY_BYTES))
