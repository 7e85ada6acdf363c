"""Make the shipped sample again: ``python -m diagnosis.sample [FOLDER]``, by default into the checkout."""

from __future__ import annotations

import argparse
from pathlib import Path

from diagnosis.sample.load import write_sample


def main(arguments: list[str] | None = None) -> None:
    """Write the sample."""
    parser = argparse.ArgumentParser(prog="python -m diagnosis.sample", description="Generate the synthetic sample.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[3] / "data" / "sample")
    write_sample(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
