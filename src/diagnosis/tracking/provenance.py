"""What a result was made with: versions of the libraries, and the git commit where there is one."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["git_commit", "versions"]

_LIBRARIES = ("diagnosis", "numpy", "scipy", "pyarrow", "scikit-learn", "lightgbm", "shap", "mlflow")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries a result depends on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit(folder: Path) -> str | None:
    """Return the commit a folder's work tree is at, or None without git, work tree or commit."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--verify", "--quiet", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
