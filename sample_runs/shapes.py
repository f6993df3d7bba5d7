"""Small runs, one odd shape each."""

from collections.abc import Iterator


def samples() -> Iterator[tuple[str, bytes]]:
    yield from ()
