"""convqa: explainable quality scores for customer conversations, offline, in nb, nn, da, sv and en.

```python
import convqa

scorer = convqa.load()
for record in scorer.pipe(convqa.read("calls/")):
    print(record.id, record.score, record.band)
```

What is named here is imported when it is first used (PEP 562): ``import convqa`` and ``convqa --help`` wait for no
model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from convqa._version import __version__

if TYPE_CHECKING:
    from convqa.conversation import Conversation, Turn, Unreadable
    from convqa.errors import ConvqaError, InputError, ModelError, RubricError, UsageError
    from convqa.readers import read
    from convqa.report import CriterionScore, Evidence, Flag, Record
    from convqa.scorer import Scorer, load
    from convqa.write import from_json, to_json

_HOME = {
    **dict.fromkeys(("Conversation", "Turn", "Unreadable"), "conversation"),
    **dict.fromkeys(("ConvqaError", "InputError", "ModelError", "RubricError", "UsageError"), "errors"),
    "read": "readers",
    **dict.fromkeys(("CriterionScore", "Evidence", "Flag", "Record"), "report"),
    **dict.fromkeys(("Scorer", "load"), "scorer"),
    **dict.fromkeys(("from_json", "to_json"), "write"),
}

__all__ = [
    "Conversation",
    "ConvqaError",
    "CriterionScore",
    "Evidence",
    "Flag",
    "InputError",
    "ModelError",
    "Record",
    "RubricError",
    "Scorer",
    "Turn",
    "Unreadable",
    "UsageError",
    "__version__",
    "from_json",
    "load",
    "read",
    "to_json",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        found = getattr(import_module(f"convqa.{_HOME[name]}"), name)
        globals()[name] = found
        return found
    try:
        return import_module(f"convqa.{name}")
    except ModuleNotFoundError:
        raise AttributeError(f"module 'convqa' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return __all__
