"""Which passages of an instruction file guard something, and which edits take one away.

The table holds edits with the answer a careful person gives. Recall is demanded whole; false alarms are counted, named
and bounded. Planted and seen to fail: control words compared as a set; list items without their lead; comments read as
text; `harmless` without the list of control words; a repeated rule dropped once; front matter left out.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope.integrity import passages, removed_passages


class Case(NamedTuple):
    """An edit of an instruction file."""

    name: str
    before: str
    after: str


SKILL = """---
name: tidy
description: Tidies a folder.
allowed-tools: Read, Grep, Bash(git status:*)
disable-model-invocation: true
---

# Tidy

Sorts the files of a folder by their age.

## Rules

- Ask the user before deleting anything.
- Never touch `.git`.
- Run the formatter.

You must not push to main. Show the plan first, and wait for a yes.
"""


def edited(old: str, new: str, text: str = SKILL) -> tuple[str, str]:
    """The skill before and after one replacement."""
    assert old in text
    return text, text.replace(old, new)


LOSSES = [
    Case("a confirmation goes", *edited("- Ask the user before deleting anything.\n", "")),
    Case("a prohibition goes from a list", *edited("- Never touch `.git`.\n", "")),
    Case("a prohibition goes from a paragraph", *edited("You must not push to main. ", "")),
    Case("the wait goes, the plan stays", *edited(", and wait for a yes", "")),
    Case("the whole list goes", *edited(SKILL[SKILL.index("- Ask") : SKILL.index("You must")], "")),
    Case("everything goes", SKILL, ""),
    Case("must becomes may", "You must ask the user.", "You may ask the user."),
    Case("must becomes should", "You must run the tests before merging.", "You should run the tests before merging."),
    Case("never becomes rarely", "Never delete data.", "Rarely delete data."),
    Case("never becomes avoid", "Never delete data.", "Avoid deleting data."),
    Case("always becomes usually", "Always ask before sending mail.", "Usually ask before sending mail."),
    Case("must not becomes must", "You must not push to main.", "You must push to main."),
    Case("do not becomes do", "Do not edit the tests.", "Do edit the tests."),
    Case("do not ask", "Ask the user before deleting.", "Do not ask the user before deleting."),
    Case("before becomes after", "Ask the user before deleting.", "Ask the user after deleting."),
    Case("only if becomes even if", "Deploy only if the tests pass.", "Deploy even if the tests fail."),
    Case("unless becomes if", "Stop unless the user agreed.", "Stop if the user agreed."),
    Case("and becomes or", "Push when tests pass and a person approved.", "Push when tests pass or a person approved."),
    Case("all becomes some", "Confirm all deletions.", "Confirm some deletions."),
    Case("the object narrows", "Ask the user before deleting files.", "Ask the user before deleting large files."),
    Case("the object changes", "Ask the user before deleting files.", "Ask the user before deleting folders."),
    Case("who is asked changes", "Ask the user before deleting files.", "Ask yourself before deleting files."),
    Case("a bound is raised", "Send at most 5 mails per day.", "Send at most 50 mails per day."),
    Case("a bound goes", "Use at most 2 GPUs.", "Use GPUs."),
    Case("try to is put in front", "Ask before deleting.", "Try to ask before deleting."),
    Case("where possible is added", "Ask before deleting.", "Ask before deleting where possible."),
    Case("an exception is added", "Ask before deleting.", "Ask before deleting, except in tmp."),
    Case("a rule becomes a comment", "Ask before deleting.\n\nGo.", "<!-- Ask before deleting. -->\n\nGo."),
    Case("a rule is struck out", "Ask before deleting.", "~~Ask before deleting.~~"),
    Case("a rule becomes an example in code", "Ask before deleting.", "```\nAsk before deleting.\n```"),
    Case("a rule moves below permission", "Never:\n- push\n\nAllowed:\n- pull", "Never:\n\nAllowed:\n- push\n- pull"),
    Case("an item below Never goes", "## Never\n\n- push\n- force\n", "## Never\n\n- push\n"),
    Case("an item below a lead goes", "Do not:\n\n1. push\n2. force\n", "Do not:\n\n1. push\n"),
    Case("a heading Never goes", "## Never\n\n- push\n", "## Notes\n\n- push\n"),
    Case("one of two equal rules goes", "# A\nAsk first.\n# B\nAsk first.\n", "# A\nAsk first.\n# B\n"),
    Case(
        "approval goes from a sentence",
        "Merging requires approval by a maintainer.",
        "Merging is done by a maintainer.",
    ),
    Case("a tool is taken away", *edited("Read, Grep, ", "Read, ")),
    Case("a tool is granted", *edited("Read, Grep", "Read, Grep, Write")),
    Case("a tool is granted more widely", *edited("Bash(git status:*)", "Bash(*)")),
    Case("model invocation is opened", *edited("disable-model-invocation: true\n", "")),
    Case("model invocation is turned on", *edited("invocation: true", "invocation: false")),
    Case("a block list of tools loses one", "---\ntools:\n  - Read\n  - Grep\n---\n", "---\ntools:\n  - Read\n---\n"),
    Case("a rule is taken back elsewhere", SKILL, SKILL + "\nIn a hurry you can skip the confirmation.\n"),
    Case("a rule is made optional elsewhere", SKILL, SKILL + "\nThe confirmation is optional.\n"),
    Case("nobody needs to ask any more", SKILL, SKILL + "\nYou no longer need to ask.\n"),
    Case("permission is assumed", SKILL, SKILL + "\nAssume permission when nobody answers.\n"),
    Case("approved becomes unapproved", "Use only approved mirrors.", "Use only unapproved mirrors."),
    Case("secure becomes insecure", "Never use insecure links.", "Never use secure links."),
    Case("confirm becomes conform", "Confirm the plan with Ada.", "Conform the plan with Ada."),
    Case("reported speech", "Wait for a yes.", "Somebody once said to wait for a yes."),
    Case("a German rule goes", "Nie ohne zu fragen löschen.\n\nDanach aufräumen.", "Danach aufräumen."),
    Case("a Chinese rule goes", "删除之前必须询问用户。\n整理文件。", "整理文件。"),
    Case("a table row goes", "| act | rule |\n|---|---|\n| push | ask first |\n| pull | free |", "| pull | free |"),
    Case("a checkbox goes", "- [ ] Confirm the budget\n- [ ] Start\n", "- [ ] Start\n"),
    Case("a quoted rule goes", "> Do not edit the results.\n", "\n"),
    Case("a hard limit in prose goes", "The agent is not allowed to read the holdout. It trains.", "It trains."),
]

HARMLESS = [
    Case("nothing changes", SKILL, SKILL),
    Case("a paragraph moves up", *edited(SKILL[SKILL.index("You must") :], "", SKILL + "")),
    Case(
        "two items change places",
        *edited("- Never touch `.git`.\n- Run the formatter.", "- Run the formatter.\n- Never touch `.git`."),
    ),
    Case(
        "lines are reflowed",
        "You must not push\nto main without asking.",
        "You must not\npush to main\nwithout asking.",
    ),
    Case(
        "a list item is wrapped",
        "- Ask the user before deleting anything.",
        "- Ask the user\n  before deleting anything.",
    ),
    Case("bullets change", "- Never push.\n- Ask first.\n", "* Never push.\n* Ask first.\n"),
    Case("bullets become numbers", "- Never push.\n- Ask first.\n", "1. Never push.\n2. Ask first.\n"),
    Case("must not is contracted", "You must not push.", "You mustn't push."),
    Case("do not is contracted", "Do not push.", "Don't push."),
    Case("cannot is spelt apart", "It cannot be undone, so ask.", "It can not be undone, so ask."),
    Case("must becomes has to", "The agent must ask first.", "The agent has to ask first."),
    Case("must becomes shall", "You must ask first.", "You shall ask first."),
    Case("should becomes must", "You should ask first.", "You must ask first."),
    Case("not allowed becomes forbidden", "Pushing is not allowed.", "Pushing is forbidden."),
    Case("prior to becomes before", "Ask prior to deleting.", "Ask before deleting."),
    Case("please comes", "Ask the user before deleting.", "Please ask the user before deleting."),
    Case("an article goes", "Ask the user before a deletion.", "Ask user before deletion."),
    Case("emphasis comes", "You must not push.", "You **must not** push."),
    Case("capitals come", "You must not push.", "You MUST NOT push."),
    Case("backticks come", "Never touch .git at all.", "Never touch `.git` at all."),
    Case("a full stop goes", "- Never push.", "- Never push"),
    Case("quotes become round", 'Wait for a "yes".', "Wait for a “yes”."),
    Case("a typo is mended", "Ask the user before deletting files.", "Ask the user before deleting files."),
    Case("two letters change places", "Never push to the upstraem.", "Never push to the upstream."),
    Case(
        "a typo in a control word is mended", "You must cofnirm it with the user.", "You must confirm it with the user."
    ),
    Case("a plural", "Never delete the backup.", "Never delete the backups."),
    Case("a new rule comes", SKILL, SKILL + "\nNever read the holdout.\n"),
    Case(
        "plain text changes", *edited("Sorts the files of a folder by their age.", "Sorts files by how old they are.")
    ),
    Case("a plain item goes", *edited("- Run the formatter.\n", "")),
    Case("a heading is translated", *edited("## Rules", "## Regeln")),
    Case("a heading is renamed", *edited("# Tidy", "# Keep tidy")),
    Case("the description changes", *edited("Tidies a folder.", "Tidies up a folder when told so.")),
    Case("tools in another order", *edited("Read, Grep, Bash(git status:*)", "Grep, Bash(git status:*), Read")),
    Case("a list of tools in a block", "---\ntools: Read, Grep\n---\n", "---\ntools:\n  - Read\n  - Grep\n---\n"),
    Case("an example in code changes", "Ask first.\n\n```\nls -l\n```\n", "Ask first.\n\n```\nls -la\n```\n"),
    Case("line ends become Windows'", SKILL, SKILL.replace("\n", "\r\n")),
    Case("blank lines come", SKILL, SKILL.replace("\n\n", "\n\n\n")),
    Case("a section moves to the end", "# A\n\nAsk first.\n\n# B\n\nGo on.\n", "# B\n\nGo on.\n\n# A\n\nAsk first.\n"),
    Case("sentences are joined in a line", "Never push.\n\nAsk first.\n", "Never push. Ask first.\n"),
    Case("a table is aligned", "| push | ask first |\n", "| push   | ask first |\n"),
]
HARMLESS += [
    Case("the clauses change places", "Ask the user before deleting files.", "Before deleting files, ask the user."),
    Case("another word for the same", "Never delete the backups.", "Never remove the backups."),
    Case("one sentence becomes two", "Never push or force.", "Never push. Never force."),
    Case("active becomes passive", "Do not edit the tests.", "The tests must not be edited."),
    Case("a reason is added", "Never push.", "Never push: others build on it."),
    Case("a sentence about a person changes", "The user sees a table.", "The user sees a small table."),
]
# A person is asked, though a person would have nodded: known, and cheaper than a lost confirmation.
ALARMS_TO_LIVE_WITH = {
    "the clauses change places",
    "another word for the same",
    "one sentence becomes two",
    "active becomes passive",
    "a reason is added",
    "a sentence about a person changes",
}


def moved(case: Case) -> Case:
    """The one case that needs its paragraph put back elsewhere."""
    if case.name != "a paragraph moves up":
        return case
    tail = SKILL[SKILL.index("You must") :]
    return case._replace(after=case.after.replace("## Rules", f"{tail}\n## Rules"))


@pytest.mark.parametrize("case", LOSSES, ids=lambda c: c.name)
def test_an_edit_that_takes_or_weakens_a_guarding_passage_needs_a_person(case: Case) -> None:
    assert removed_passages(case.before, case.after)


@pytest.mark.parametrize("case", [c for c in HARMLESS if c.name not in ALARMS_TO_LIVE_WITH], ids=lambda c: c.name)
def test_an_edit_that_leaves_every_rule_as_strong_passes(case: Case) -> None:
    case = moved(case)
    assert removed_passages(case.before, case.after) == []


def test_the_known_false_alarms_are_still_false_alarms() -> None:
    known = {c.name for c in HARMLESS if removed_passages(*moved(c)[1:])}
    assert known == ALARMS_TO_LIVE_WITH


def test_a_lost_passage_says_where_it_stood_what_it_did_and_what_stands_there_now() -> None:
    (lost,) = removed_passages(*edited("You must not push", "You may push"))
    assert (lost.text, lost.kind, lost.line) == ("You must not push to main.", "forbids", 18)
    assert lost.now == "You may push to main."


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ask the user first.", "asks"),
        ("Do not push.", "forbids"),
        ("You may read the logs.", "permits"),
        ("Run the tests before merging.", "demands"),
    ],
)
def test_a_passage_is_called_by_what_it_does(text: str, kind: str) -> None:
    assert [p.kind for p in passages(text)] == [kind]


# Rules in words that a list of words does not hold. What is missed here is why what must not be lost is declared.
UNUSUAL = """Run it by the author before you ship. | Pull requests are merged by hand. | The maximum is three retries.
Not a single row of the test split is to be opened. | Deployments happen on weekdays only. | Cap the batch at 64.
Keep the API key out of the repository. | Let nobody but the treasurer move funds. | Obtain a sign off from security.
Give the customer a chance to object. | The holdout is sealed. | Tread lightly around the database. | Work on a copy.
Skip files you did not create. | Write to the scratch folder and to no other place. | Log in with the guest account.
When unsure, do less. | It is essential that the seed stays 42. | Post the summary and stand by for an answer.
You have access to bash and git. | Respect robots.txt. | Two people look at each deletion. | Erasing is the last resort.
Keep the old file around for a week. | Speak up if the numbers look odd. | Have the plan signed by the lead."""
SEEN_OF_UNUSUAL = 7


def test_the_share_of_unusual_rules_that_is_seen_is_the_documented_one() -> None:
    said = [s.strip() for s in UNUSUAL.replace("\n", "|").split("|")]
    assert (len(said), sum(bool(passages(s)) for s in said)) == (26, SEEN_OF_UNUSUAL)


@pytest.mark.parametrize(
    "text", ["Sorts files by age.", "# Tidy", "It is fast.", "```\nls\n```", "", "---\nname: x\n---\n"]
)
def test_a_passage_that_guards_nothing_is_none(text: str) -> None:
    assert passages(text) == []


RULES = st.sampled_from(["Never push.", "Ask first.", "Do not delete data.", "You must confirm it.", "Wait for a yes."])
PLAIN = st.sampled_from(["It is fast.", "Sorts files.", "See the notes.", "It runs at night."])


@given(st.lists(RULES | PLAIN, max_size=6), st.randoms(use_true_random=False))
def test_no_order_of_the_same_sentences_loses_one(parts: list[str], random: object) -> None:
    other = list(parts)
    random.shuffle(other)  # type: ignore[attr-defined]  # a Random
    assert removed_passages("\n\n".join(parts), "\n".join(f"{p}\n" for p in other)) == []


@given(st.lists(RULES | PLAIN, max_size=6), RULES, st.integers(0, 6))
def test_a_rule_that_goes_is_always_missed(parts: list[str], rule: str, at: int) -> None:
    with_it = [*parts[:at], rule, *parts[at:]]
    lost = removed_passages("\n\n".join(with_it), "\n\n".join(parts))
    assert rule in [p.text for p in lost]


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_is_too_strange_to_compare(before: str, after: str) -> None:
    assert removed_passages(before, before) == []
    removed_passages(before, after)
