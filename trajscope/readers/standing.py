"""Standing: the configuration that proposals are applied to, worked out once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from trajscope.pair import Change, Configs


class Standing:
    """A base by its hash and parent commit: the canonical texts of its values, and what a change makes of it."""

    def __init__(
        self,
        name: tuple[str, str | None],
        base: Mapping[str, object],
        change: Callable[[str, object], Change],
        salt: Mapping[str, str | None],
    ) -> None:
        self.name = name
        self.texts = {knob: change(knob, value).text for knob, value in base.items()}
        self._configs = Configs(base, salt["evaluator"], salt["data"], name[1])

    def after(self, changes: Iterable[Change]) -> str:
        """The hash of the base with these changes."""
        return self._configs.after(changes)
