"""The wheel as the world gets it."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_manifest_page_demo_case_and_type_marker(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        packaged = archive.read("arkham_shard_export/shard.yaml")
    assert packaged == (ROOT / "shard.yaml").read_bytes()
    assert {
        "arkham_shard_export/py.typed",
        "arkham_shard_export/web/index.html",
        "arkham_shard_export/standalone/demo/arkham_claims.json",
    } <= names
    assert not [name for name in names if name.startswith(("tests", "docs"))]


def core_distributions() -> dict[str, importlib.metadata.Distribution]:
    """What a bare installation brings: the core dependencies and all of theirs, without any extra."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [Requirement(text) for text in importlib.metadata.requires("arkham-shard-export") or []]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (
            requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
        ):
            continue
        found[name] = importlib.metadata.distribution(name)
        waiting += [Requirement(text) for text in found[name].requires or []]
    return found


def install_core(site_packages: Path) -> None:
    """From this environment rather than from a registry: tests reach nothing beyond loopback."""
    for distribution in core_distributions().values():
        for file in distribution.files or []:
            source, target = Path(str(distribution.locate_file(file))), site_packages / file
            if ".." not in file.parts and source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)


def test_the_bare_wheel_loads_by_its_entry_point_and_finds_its_manifest(wheel: Path, tmp_path: Path) -> None:
    """Installed with nothing but its core dependencies, without extras and without any host."""
    environment = tmp_path / "bare"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    (site_packages,) = environment.glob("lib/python*/site-packages")
    install_core(site_packages)
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, capture_output=True)
    script = """
import importlib.metadata, importlib.util, pathlib, sys
(entry,) = importlib.metadata.entry_points(group="arkham.shards")
shard = entry.load()()
assert shard.manifest["api_prefix"] == "/api/export"
manifest = pathlib.Path(sys.modules[type(shard).__module__].__file__).parent / "shard.yaml"
assert importlib.util.find_spec("uvicorn") is None and importlib.util.find_spec("psycopg") is None
assert importlib.util.find_spec("arkham_frame") is None
routes = {getattr(route, "path", None) for route in shard.get_routes().routes}
assert "/api/export/jobs/{job_id}/download" in routes
import arkham_shard_export.models, arkham_shard_export.pipeline
print(entry.name, manifest.read_text())
"""
    ran = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True, cwd=tmp_path)
    name, _, text = ran.stdout.partition(" ")
    assert name == "export"
    assert yaml.safe_load(text)["entry_point"] == "arkham_shard_export:ExportShard"
    served = subprocess.run(
        [environment / "bin" / "arkham-export", "serve"], capture_output=True, text=True, cwd=tmp_path
    )
    assert served.returncode == 1
    assert "pip install 'arkham-shard-export[serve]'" in served.stderr
