"""DocumentLedgerLaws: the rules of core.document_ledger.DocumentLedger as tests, for all to inherit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ingest_project.core.document_ledger import DocumentClaim, DocumentLedger, Enrolled, Settlement, Standing
from ingest_project.core.documents import (
    COMPLETED,
    EXTRACTING,
    FAILED,
    PENDING,
    Bucket,
    Delayed,
    Document,
    Done,
    Mark,
    Outcome,
    Parked,
)
from ingest_project.testing.doubles_time import FakeClock

LEASE = 30.0
BUCKET = Bucket(collection="gazettes", month="2026-01", number=3)
DONE = Done(output="o1", facts={"uri": "s3://b/k", "odd": "\0\ud800"})
PARKED = Parked(cause="zip", detail="a.zip", kind="zip")


def listed(id: str, *, bucket: Bucket = BUCKET, **fields: str) -> Document:
    """A document as its source tells it."""
    return Document(id=id, bucket=bucket, fields={"date": "2026-01-02", **fields}, group="2700000")


def stand(ledger: DocumentLedger, *before: str, stage: str = "texts") -> list[Standing]:
    """The sample bucket as a stage finds it."""
    return list(ledger.page(BUCKET, stage, before))


def take(
    ledger: DocumentLedger,
    owner: str = "one",
    *,
    stage: str = "texts",
    found: Sequence[Standing] | None = None,
    state: str = EXTRACTING,
) -> list[DocumentClaim]:
    """Claim the sample bucket for LEASE seconds."""
    wanted = stand(ledger, stage=stage) if found is None else found
    return list(ledger.claim(stage, wanted, owner=owner, lease=LEASE, state=state))


def settle(
    ledger: DocumentLedger, claims: Sequence[DocumentClaim], outcome: Outcome = DONE, state: str = ""
) -> list[str]:
    """All of them end so, under the fingerprint ``f1``."""
    ended = [Settlement(claim=claim, fingerprint="f1", outcome=outcome, state=state) for claim in claims]
    return list(ledger.settle(ended))


class DocumentLedgerLaws:
    """Enrolment, claims, leases and marks. An adapter overrides ``documents``; its time is ``clock``."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def documents(self, clock: FakeClock) -> DocumentLedger:
        raise NotImplementedError("override the fixture `documents`: an empty ledger whose time is `clock`")

    def test_documents_are_enrolled_once_and_a_changed_field_makes_them_pending(
        self, documents: DocumentLedger
    ) -> None:
        assert Enrolled(new=2) == documents.enroll([listed("b"), listed("a")])
        settle(documents, take(documents), state=COMPLETED)
        counts = documents.enroll([listed("a"), listed("b", power="x\0"), listed("c")])
        assert Enrolled(new=1, changed=1, unchanged=1) == counts
        states = [(one.document.id, one.state, len(one.document.marks)) for one in stand(documents)]
        assert [("a", COMPLETED, 1), ("b", PENDING, 1), ("c", PENDING, 0)] == states
        assert documents.page(BUCKET, "texts", ())[1].document.fields["power"] == "x\0"

    def test_a_document_moves_with_its_bucket(self, documents: DocumentLedger) -> None:
        other = Bucket(collection="gazettes", month="2026-02", number=3)
        documents.enroll([listed("a"), listed("b")])
        documents.enroll([listed("a", bucket=other)])
        assert (1, 1) == (documents.size(BUCKET), documents.size(other))

    def test_pages_tile_the_bucket(self, documents: DocumentLedger) -> None:
        documents.enroll([listed(str(number)) for number in range(7)])
        found, after = [], ""
        while page := documents.page(BUCKET, "texts", (), after=after, limit=3):
            after = page[-1].document.id
            found += [one.document.id for one in page]
        assert sorted(map(str, range(7))) == found

    def test_a_stage_sees_its_own_mark_and_those_it_asks_for(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a")])
        for stage in ("downloaded", "texts", "indexed"):
            settle(documents, take(documents, stage=stage))
        (found,) = documents.page(BUCKET, "texts", ["downloaded"])
        mark = Mark(fingerprint="f1", output="o1", facts=DONE.facts)
        assert {"downloaded": mark, "texts": mark} == dict(found.document.marks)

    def test_a_live_lease_cannot_be_taken(self, documents: DocumentLedger, clock: FakeClock) -> None:
        documents.enroll([listed("a")])
        take(documents)
        clock.advance(LEASE - 1)
        assert [] == take(documents, "two")
        assert [True] == [one.held for one in stand(documents)]

    def test_an_expired_lease_is_taken_over_and_its_owner_loses(
        self, documents: DocumentLedger, clock: FakeClock
    ) -> None:
        documents.enroll([listed("a")])
        old = take(documents)
        clock.advance(LEASE + 1)
        assert ["a"] == settle(documents, old)
        new = take(documents, "two")
        assert ["a"] == settle(documents, old)
        assert [] == settle(documents, new, PARKED)
        assert [("f1", "zip", False)] == [(one.parked, one.cause, one.held) for one in stand(documents)]

    def test_what_was_claimed_since_it_was_seen_is_not_claimed_again(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a"), listed("b")])
        seen = stand(documents)
        settle(documents, take(documents, found=seen[:1]))
        assert ["b"] == [one.document.id for one in take(documents, "two", found=seen)]

    def test_a_claim_whose_answer_was_lost_may_be_made_again(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a")])
        seen = stand(documents)
        assert take(documents, found=seen) == take(documents, found=seen)
        assert [] == take(documents, "two", found=seen)

    def test_a_settlement_whose_answer_was_lost_may_be_made_again(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a")])
        claims = take(documents)
        assert [[], []] == [settle(documents, claims), settle(documents, claims)]

    def test_a_lease_that_is_renewed_holds(self, documents: DocumentLedger, clock: FakeClock) -> None:
        documents.enroll([listed("a"), listed("b")])
        claims = take(documents)
        for _ in range(3):
            clock.advance(LEASE * 0.7)
            documents.renew(claims, lease=LEASE)
        assert [] == settle(documents, claims)

    def test_a_lease_that_is_over_cannot_be_renewed(
        self, documents: DocumentLedger, clock: FakeClock
    ) -> None:
        documents.enroll([listed("a")])
        claims = take(documents)
        clock.advance(LEASE + 1)
        documents.renew(claims, lease=LEASE)
        assert ["a"] == settle(documents, claims)

    def test_what_is_released_can_be_claimed_at_once(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a")])
        claims = take(documents)
        documents.release(claims)
        assert ["a"] == settle(documents, claims)
        assert [] == settle(documents, take(documents, "two"))

    def test_dead_owners_are_not_waited_for(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a"), listed("b")])
        old = take(documents, "dead", found=stand(documents)[:1])
        take(documents, "alive", found=stand(documents)[1:])
        assert 1 == documents.release_dead("gazettes", lambda owner: owner == "dead")
        assert 0 == documents.release_dead("gazettes", lambda owner: owner == "dead")
        assert ["a"] == [one.document.id for one in take(documents, "two")]
        assert ["a"] == settle(documents, old)

    def test_an_outcome_sets_takes_away_or_leaves_the_mark(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a")])
        seen = []
        for outcome in (DONE, Delayed(reason="nobody listens"), PARKED, Delayed(reason=""), DONE):
            settle(documents, take(documents), outcome)
            (found,) = stand(documents)
            seen.append((len(found.document.marks), found.parked))
        assert [(1, ""), (1, ""), (0, "f1"), (0, ""), (1, "")] == seen

    def test_a_lost_document_harms_no_other_of_its_batch(
        self, documents: DocumentLedger, clock: FakeClock
    ) -> None:
        documents.enroll([listed("a"), listed("b")])
        claims = take(documents)
        documents.release(claims[:1])
        assert ["a"] == settle(documents, claims, state=COMPLETED)
        states = [(one.state, len(one.document.marks)) for one in stand(documents)]
        assert [(EXTRACTING, 0), (COMPLETED, 1)] == states

    def test_documents_are_in_the_state_they_are_put_into(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a"), listed("b")])
        claims = take(documents, state="")
        assert [PENDING, PENDING] == [one.state for one in stand(documents)]
        settle(documents, claims, PARKED, FAILED)
        documents.restate("gazettes", ["b"], COMPLETED)
        assert [FAILED, COMPLETED] == [one.state for one in stand(documents)]

    def test_reopening_forgets_the_mark_but_of_what_is_held(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a"), listed("b"), listed("c")])
        settle(documents, take(documents, found=stand(documents)[:2]), state=COMPLETED)
        take(documents, found=stand(documents)[1:2])
        assert 1 == documents.reopen("gazettes", "texts", ["a", "b", "c"])
        assert 0 == documents.reopen("gazettes", "texts", ["a", "b", "c"])
        assert [0, 1, 0] == [len(one.document.marks) for one in stand(documents)]
        assert stand(documents)[0].state == PENDING

    def test_stages_are_claimed_apart(self, documents: DocumentLedger) -> None:
        documents.enroll([listed("a")])
        assert 1 == len(take(documents, stage="excerpts/one")) == len(take(documents, stage="excerpts/two"))

    def test_nothing_is_asked_of_nobody(self, documents: DocumentLedger) -> None:
        documents.renew([], lease=LEASE)
        documents.release([])
        documents.restate("gazettes", [], FAILED)
        assert ([], [], Enrolled()) == (take(documents), settle(documents, []), documents.enroll([]))
