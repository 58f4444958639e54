"""Known fields: what a person can decide of a kind that changed, and that a decision can be taken back."""

from __future__ import annotations

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.fields import ACCEPT, ASIDE, REFUSE, KnownField

PRIORITY = KnownField(name="priority", kinds=("integer",), origin="describe")


def test_a_kind_that_was_met_waits_once() -> None:
    met = PRIORITY.met("text")
    assert ("text",) == met.asked
    assert met == met.met("text")
    assert PRIORITY == PRIORITY.met("integer")


def test_what_is_accepted_counts_first_and_the_old_kind_is_still_taken() -> None:
    field = PRIORITY.met("text").decided(ACCEPT)
    assert (("text", "integer"), ()) == (field.kinds, field.asked)
    assert field == field.met("text")


def test_what_is_set_aside_or_refused_is_not_asked_again() -> None:
    for choice, name in ((ASIDE, "aside"), (REFUSE, "refused")):
        field = PRIORITY.met("text").decided(choice)
        assert ("text",) == getattr(field, name)
        assert (("integer",), ()) == (field.kinds, field.asked)
        assert field == field.met("text")


def test_a_decision_can_be_taken_back() -> None:
    refused = PRIORITY.met("text").met("boolean").decided(REFUSE)
    assert ("text", "boolean") == refused.refused
    accepted = refused.decided(ACCEPT)
    assert (("text", "boolean", "integer"), ()) == (accepted.kinds, accepted.refused)


def test_there_is_nothing_to_decide_without_a_change_and_no_fourth_choice() -> None:
    with pytest.raises(ConfigurationError, match="no change of its type waits"):
        PRIORITY.decided(ACCEPT)
    with pytest.raises(ConfigurationError, match="accept, aside, refuse"):
        PRIORITY.met("text").decided("perhaps")
