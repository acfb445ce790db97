"""The odds of a shared hash are those of the birthday problem, and a page says them where its figures rest on hashes."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.ledger import Ledger
from reports import odds, page, story

GOLD = Path(__file__).parent / "gold" / "report.jsonl"


def test_the_chance_that_two_share_a_hash_is_that_of_all_pairs() -> None:
    assert odds.shared(24_103_221) == pytest.approx(24_103_221**2 / 2**65, rel=1e-6)
    assert 63_000 < 1 / odds.shared(24_103_221) < 64_000
    assert odds.shared(1) == 0
    assert odds.shared(2**40) == 1


def test_the_chance_is_what_drawing_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odds, "BITS", 16)
    drawn = random.Random(7)
    hits = sum(len({drawn.getrandbits(16) for _ in range(40)}) < 40 for _ in range(20_000))
    assert hits / 20_000 == pytest.approx(odds.shared(40), rel=0.15)


def test_a_page_says_it_where_its_figures_rest_on_hashes_and_only_there() -> None:
    run = story.read(Ledger(GOLD))
    said = odds.sentence(run.phases)
    assert "decided on 128 bits" in said
    assert said in page.fragment(run)
    assert odds.sentence([]) == ""


def test_a_page_says_what_was_used_again_and_why_it_holds() -> None:
    phases = story.read(Ledger(GOLD)).phases
    phase = next(each for each in phases if odds.sentence([each]))
    check = next(each for each in phase.checks if {query.statement for query in each.queries} & odds.HASHED)
    matched = replace(check, queries=(*check.queries, replace(check.queries[0], again=True)))
    assert odds.AGAIN not in odds.sentence(phases)
    assert odds.sentence([replace(phase, checks=(matched,))]).endswith(odds.AGAIN)
