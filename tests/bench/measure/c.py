"""The programs in C."""

import os
import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "c"


def compile_c(name, target, **definitions):
    flags = [f'-D{key}="{value}"' for key, value in definitions.items()]
    command = [os.environ.get("CC", "cc"), "-O2", "-static", "-pthread", "-Wall", "-Wextra", *flags, "-o", target]
    subprocess.run([*command, SOURCES / f"{name}.c"], check=True)
    return target
