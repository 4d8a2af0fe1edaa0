"""The tutorial, typed from its first line to its last in an empty folder."""

from pathlib import Path

from adapters.ports import free_ports
from serving.launch.running import is_recorded
from serving.service import stop
from tests.documents.markdown import blocks
from tests.documents.scene import ROOT, Scene, entered


def test_a_newcomer_follows_the_tutorial_from_photos_to_a_service(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    scene = Scene(tmp_path, f"http://127.0.0.1:{port}", port=port)
    with entered(tmp_path):
        try:
            for block in blocks(ROOT / "docs" / "tutorial.md"):
                scene.run(block)
        finally:
            if is_recorded(folder := tmp_path / "runs" / "serve"):
                stop(folder, draining=False)
