"""node_modules with what package.json names, installed once beside the build."""
import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build/npm"
WHY_NOT = "TANDEM_NO_NPM"  # in the environment: what a try of this run met


def install():
    """None when everything is there, else why not. A second process waits for the first."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm and node are not installed"
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all((CACHE / "node_modules" / name).exists() for name in wanted):
            return None
        if WHY_NOT in os.environ:
            return os.environ[WHY_NOT]
        shutil.copy(HERE / "package.json", CACHE)
        try:
            got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], cwd=CACHE, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:  # where there is no way out it tries for an hour
            os.environ[WHY_NOT] = "npm cannot install here: no answer in three minutes"
            return os.environ[WHY_NOT]
        if got.returncode:
            os.environ[WHY_NOT] = f"npm cannot install here: {got.stderr.strip()[-200:]}"
        return os.environ.get(WHY_NOT)
