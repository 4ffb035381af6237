"""Writes docs/settings.md from the settings' own classes, so that it can not lie.

python docs/draw_settings.py [--check]
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

from agent import settings

PAGE = Path(__file__).resolve().parent / "settings.md"
HEAD = """# Settings

`antiphon.toml` in the working directory, or the file that `--config` names. Every key can also be given in the
environment: `turn.yield_ms` is `ANTIPHON__TURN__YIELD_MS`. Flags come first, then the environment, then the file. An
unknown key is an error. `antiphon doctor` prints what is in force.

```toml
[llm]
url = "http://127.0.0.1:8000/v1"
model = "my-model"

[turn]
endpointing_ms = 700
```

An engine's own settings stand in a table of its name, such as `[asr.whisper]` or `[llm.embedded]`: they are its
constructor's keyword arguments, and an unknown one is refused with the list of known ones.
"""


def rows(section: type) -> list[tuple[str, str, str]]:
    """Key, default and meaning of each field; the meaning is the string under it."""
    body = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = []
    for field, after in zip(body.body, [*body.body[1:], ast.Pass()], strict=True):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name) or field.value is None:
            continue
        meaning = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        value = field.value
        if isinstance(value, ast.Call) and value.args:
            value = value.args[0]
        default = ast.unparse(value)
        found.append((field.target.id, default if len(default) < 40 else "…", " ".join(str(meaning).split())))
    return found


def page() -> str:
    """The document."""
    parts = [HEAD]
    for name, field in settings.Settings.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        lines = [f"| `{name}.{key}` | `{default}` | {meaning} |" for key, default, meaning in rows(section)]
        parts.append(f"## [{name}]\n\n{inspect.getdoc(section)}\n\n| key | default | |\n| --- | --- | --- |\n")
        parts[-1] += "\n".join(lines) + "\n"
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check say whether it is fresh."""
    if "--check" in sys.argv:
        return 0 if PAGE.is_file() and PAGE.read_text() == page() else 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
