"""The wheel as the world gets it."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

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


def test_the_bare_wheel_loads_by_its_entry_point_and_finds_its_manifest(wheel: Path, tmp_path: Path) -> None:
    """Installed with nothing but its core dependencies, without extras and without any host."""
    environment = tmp_path / "bare"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
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
