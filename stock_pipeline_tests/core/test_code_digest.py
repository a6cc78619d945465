from pathlib import Path

import pytest

from stock_pipeline.core import code_digest


def test_it_knows_every_name_and_content_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest_of(**contents: str) -> str:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, content in {"core/code_digest": "", **contents}.items():
            file = root / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        (root / "notes.txt").write_text(root.name)
        monkeypatch.setattr(code_digest, "__file__", str(root / "core" / "code_digest.py"))
        code_digest.code_digest.cache_clear()
        return code_digest.code_digest()

    found = [digest_of(a="1", b="2"), digest_of(a="1", b="2"), digest_of(a="1", b="3"), digest_of(a="1", c="2"), digest_of(a="12", b="")]
    code_digest.code_digest.cache_clear()
    assert found[0] == found[1] and len(set(found)) == 4
