"""What is seen in a prompt, and which prompts are nearly the same.

Planted and seen to fail: the first object instead of the last, one shingle less looked up than one of the shared ones
must be among, a run of words that ends a letter short.
"""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope.corpus.prompts import Alike, jaccard, shingles, standing

KNOBS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('now {"a": 1, "b": 2, "c": 3} go on', {"a": 1, "b": 2, "c": 3}),
        ('{"a": 1, "b": 2} and later {"a": 9, "b": 2, "x": 0}', {"a": 9, "b": 2, "x": 0}),
        ('{"a": 1}', None),  # one of three is some other object
        ('{"a": {"type": "int"}, "b": {}, "c": {}}', None),  # a menu, not values
        ('{"knob": "a", "value": 1}', None),
        ('half {"a": 1, "b": 2', None),
        ("{" * 2000, None),
        ('[{"a": 1, "b": 2}]', {"a": 1, "b": 2}),
        ("", None),
    ],
)
def test_what_stands_is_the_last_object_that_gives_values_to_most_knobs(text: str, found: object) -> None:
    assert standing(text, KNOBS) == found


def test_without_knobs_nothing_is_taken_for_what_stands() -> None:
    assert standing('{"a": 1}', ()) is None


def test_lines_that_all_prompts_hold_do_not_make_them_alike() -> None:
    rules = "\n".join(f"rule {i} is that one must never do what is said here" for i in range(30))
    a, b = (f"{rules}\n{words}" for words in ("one two three four five six", "uno due tre quattro cinque sei"))
    assert jaccard(shingles(a), shingles(b)) > 0.9
    assert jaccard(shingles(a, set(rules.splitlines())), shingles(b, set(rules.splitlines()))) == 0.0
    assert jaccard(frozenset(), frozenset()) == 1.0


def test_the_index_finds_what_comparing_all_finds() -> None:
    draw = random.Random(7)
    words = [" ".join(draw.choices("abcdefgh", k=1)) * 4 + str(draw.randrange(50)) for _ in range(200)]
    texts: dict[int, frozenset[int]] = {}
    for i in range(60):
        own = words[:]
        for _ in range(i // 3):
            own[draw.randrange(len(own))] = f"other{draw.random()}"
        texts[i] = shingles(" ".join(own))
    asked = shingles(" ".join(words))
    for least in (0.8, 0.9, 0.95):
        assert Alike(texts, least).like(asked) == [i for i, x in texts.items() if jaccard(asked, x) >= least]
    found = Alike(texts, 0.8).like(asked)
    assert len(found) > 3
    assert Alike(texts, 0.8).like(asked, found[1:]) == found[:1]
    assert Alike(texts, 0.1).like(shingles("nothing of that kind was ever said by anybody")) == []


few = st.frozensets(st.integers(0, 7), max_size=7)


@given(st.lists(few, max_size=8), few, st.sampled_from([0.01, 0.2, 1 / 3, 0.5, 0.6, 2 / 3, 0.8, 0.9, 1.0]))
def test_no_text_that_shares_enough_is_overlooked(
    said: list[frozenset[int]], asked: frozenset[int], least: float
) -> None:
    texts = dict(enumerate(said))
    assert Alike(texts, least).like(asked) == [i for i, x in texts.items() if jaccard(asked, x) >= least]


@given(st.text(alphabet="ab \n\u2003é\ud800İß", max_size=40), st.booleans())
def test_shingles_are_the_hashes_of_five_words_in_a_row(text: str, together: bool) -> None:
    words = (f"{text} a b c d e" if together else text).casefold().split()
    runs = [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]
    found = shingles(f"{text} a b c d e" if together else text)
    assert found == {zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in runs}
