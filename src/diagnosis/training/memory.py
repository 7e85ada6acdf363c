"""The most memory the process has held since a moment, where the system says it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["peak_mib", "reset_peak"]

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def reset_peak() -> None:
    """Begin to count anew; where the system does not allow that, peaks are those since the process began."""
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")


def peak_mib() -> float:
    """Return the most resident memory since `reset_peak`, in MiB; 0 where it cannot be known."""
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    with suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return 0.0
