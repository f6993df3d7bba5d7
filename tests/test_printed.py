"""What a command prints is read to the letter: said once, a finite number, or an error that says which."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajscope_loop import printed

NAMES = ["loss", "mem"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("step 1\n---\nloss: 1.5\nmem: 7\nnote: fine\n", "lines"),
        ("---\nloss: 9\n---\nloss:   1.5\r\nmem = 7e0", "lines"),
        ("step 1 loss: 9\rstep 2 loss: 8\n-----\nloss: 1.5\nmem: 7", "lines"),
        ('{"loss": 9, "mem": 9}\nlog\n{"mem": 7, "loss": 1.5, "more": {"loss": 3}}\ndone\n', "json"),
        ('progress\r{"mem": 7, "loss": 1.5}', "json"),
        ("val loss=1.5, mem 7 MB\n", "pattern"),
    ],
)
def test_every_metric_is_read(text: str, form: str) -> None:
    patterns = {"loss": r"loss=(\S+),", "mem": r"mem (\d+) MB"}
    assert printed.read(text, form, NAMES, patterns) == {"loss": 1.5, "mem": 7.0}


@pytest.mark.parametrize(
    ("text", "form", "error", "why"),
    [
        ("", "lines", ValueError, "it printed no line ---"),
        ("loss: 1.5\nmem: 7\n", "lines", ValueError, "it printed no line ---"),
        ("---\nloss: 1.5\n", "lines", ValueError, "it printed no mem; it ended early"),
        ("loss: 1\nmem: 7\n---\nloss: 1.5\n", "lines", ValueError, "it printed no mem"),
        ("---\nloss: 1.5\nmem: 7\nloss: 1.4\n", "lines", ValueError, r"it printed loss 2 times \(1.5, 1.4\)"),
        ("---\nloss: nan\nmem: 7\n", "lines", FloatingPointError, "loss is nan"),
        ("---\nloss: -inf\nmem: 7\n", "lines", FloatingPointError, "loss is -inf"),
        ("---\nloss: True\nmem: 7\n", "lines", ValueError, "loss is 'True', which is no number"),
        ("no json", "json", ValueError, "no line that begins with {"),
        ('{"loss": 1.5, "mem": 7}\n{"loss": 1.5', "json", ValueError, "is no JSON"),
        ('{"loss": 1.5, "mem": 7, "loss": 1.4}', "json", ValueError, "it printed loss 2 times"),
        ('{"loss": NaN, "mem": 7}', "json", FloatingPointError, "loss is nan"),
        ('{"loss": 1e999, "mem": 7}', "json", FloatingPointError, "loss is inf"),
        ('{"loss": true, "mem": 7}', "json", ValueError, "loss is True, which is no number"),
        ('{"loss": "1.5", "mem": 7}', "json", ValueError, "loss is the text '1.5'"),
        ('{"loss": null, "mem": 7}', "json", ValueError, "loss is None"),
        ('{"mem": 7, "more": {"loss": 1.5}}', "json", ValueError, "it printed no loss"),
        ("loss=1.5, mem 7 MB loss=1.4, ", "pattern", ValueError, "it printed loss 2 times"),
        ("mem 7 MB", "pattern", ValueError, "it printed no loss"),
    ],
)
def test_what_is_not_surely_a_metric_is_none(text: str, form: str, error: type[Exception], why: str) -> None:
    patterns = {"loss": r"loss=(\S+),", "mem": r"mem (\d+) MB"}
    with pytest.raises(error, match=why):
        printed.read(text, form, NAMES, patterns)


def test_the_judge_reads_what_was_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stdout.txt").write_bytes(b"\xff\n---\nloss: 1.5\n")
    monkeypatch.setattr(printed, "SPEC", {"form": "lines", "names": ["loss"]})
    assert printed.judge(tmp_path, tmp_path) == {"metrics": {"loss": 1.5}}
