"""What people ask about documents, and results that stages keep, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ingest_project.core.document_ledger import (
    BucketCount,
    Extraction,
    ParkedCount,
    ParkedDocument,
    Segment,
    Segmentation,
)
from ingest_project.core.documents import COMPLETED, FAILED, PENDING, Bucket, Delayed, Done, Parked
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_documents import BUCKET, DONE, PARKED, listed, settle, stand, take


@pytest.fixture
def documents(ledger_url: str, clock: FakeClock) -> Iterator[SqlDocumentLedger]:
    ledger = SqlDocumentLedger(ledger_url, clock=clock)
    yield ledger
    ledger.close()


def end(
    documents: SqlDocumentLedger, id: str, outcome: object, stage: str = "texts", state: str = ""
) -> None:
    """Claim and settle one document of the sample bucket."""
    found = [one for one in stand(documents, stage=stage) if one.document.id == id]
    assert [] == settle(documents, take(documents, stage=stage, found=found, state=""), outcome, state)


def test_documents_of_an_index_are_added_up(documents: SqlDocumentLedger) -> None:
    documents.enroll([listed(name) for name in "abcd"])
    for name, number in (("a", "1"), ("b", "1"), ("c", "7")):
        end(documents, name, Done(output="o", facts={"documents": number}))
    end(documents, "a", Done(output="o", facts={"documents": "3"}), stage="other")
    end(documents, "d", Parked(cause="no text", detail=""))
    end(documents, "c", Delayed(reason="its mark stays"))
    assert (9, 3) == tuple(documents.counted(BUCKET.collection, stage) for stage in ("texts", "other"))
    documents.reopen(BUCKET.collection, "texts", ["c"])
    assert (2, 0) == tuple(documents.counted(BUCKET.collection, stage) for stage in ("texts", "none"))


def test_documents_are_counted_by_bucket_and_state(documents: SqlDocumentLedger) -> None:
    other = Bucket(collection="gazettes", month="2025-12", number=15)
    elsewhere = Bucket(collection="conversations", month="2025-12", number=15)
    documents.enroll(
        [listed(id) for id in "abc"] + [listed("d", bucket=other), listed("a", bucket=elsewhere)]
    )
    end(documents, "a", DONE, state=COMPLETED)
    end(documents, "b", PARKED, state=FAILED)
    expected = [
        BucketCount(bucket=other, state=PENDING, documents=1),
        BucketCount(bucket=BUCKET, state=COMPLETED, documents=1),
        BucketCount(bucket=BUCKET, state=FAILED, documents=1),
        BucketCount(bucket=BUCKET, state=PENDING, documents=1),
    ]
    assert expected == documents.states("gazettes")


def test_stages_of_a_month_are_counted(documents: SqlDocumentLedger, clock: FakeClock) -> None:
    documents.enroll([listed(id) for id in "abcd"])
    for id in "ab":
        end(documents, id, DONE)
    end(documents, "c", PARKED)
    end(documents, "b", Delayed(reason="later"))
    take(documents, found=stand(documents)[3:])
    end(documents, "a", DONE, stage="indexed")
    expected = {
        "indexed": {"done": 1, "parked": 0, "delayed": 0, "held": 0},
        "texts": {"done": 2, "parked": 1, "delayed": 1, "held": 1},
    }
    assert expected == documents.stage_counts(BUCKET.collection, BUCKET.month)
    clock.advance(1000)
    assert documents.stage_counts(BUCKET.collection, BUCKET.month)["texts"]["held"] == 0
    assert [("b", "texts", "later")] == documents.delayed("gazettes")
    moved = Bucket(collection=BUCKET.collection, month="2025-12", number=0)
    documents.enroll([listed("a", bucket=moved)])
    months = (BUCKET.month, moved.month)
    counts = [documents.stage_counts(BUCKET.collection, month)["texts"]["done"] for month in months]
    assert [1, 1] == counts


def test_what_is_parked_is_listed_and_counted_by_cause(
    documents: SqlDocumentLedger, clock: FakeClock
) -> None:
    documents.enroll([replace(listed(id), group="27" if id < "d" else "35") for id in "abcde"])
    for id in "abd":
        end(documents, id, PARKED)
    end(documents, "c", Parked(cause="empty file", detail="c.pdf: 0 bytes"), "downloaded")
    counts = [
        ParkedCount(stage="texts", cause="zip", kind="zip", group="27", documents=2),
        ParkedCount(stage="downloaded", cause="empty file", kind="", group="27", documents=1),
        ParkedCount(stage="texts", cause="zip", kind="zip", group="35", documents=1),
    ]
    assert counts == documents.parked_counts("gazettes")
    first = ParkedDocument(
        id="c",
        bucket=BUCKET,
        stage="downloaded",
        group="27",
        parked=Parked(cause="empty file", detail="c.pdf: 0 bytes"),
        at=clock(),
    )
    page = documents.parked("gazettes", limit=2)
    assert (first, "a") == (page[0], page[1].id)
    assert ["b", "d"] == [one.id for one in documents.parked("gazettes", after=("texts", "a"))]
    assert ["a", "b", "d"] == [one.id for one in documents.parked("gazettes", stage="texts")]
    assert ["c"] == [one.id for one in documents.parked("gazettes", causes=["empty file", "html"])]
    assert [] == documents.parked("conversations")


def test_one_document_is_found_with_its_marks(documents: SqlDocumentLedger) -> None:
    documents.enroll([listed("a")])
    end(documents, "a", DONE, "downloaded")
    end(documents, "a", PARKED)
    found = documents.find("gazettes", "a", ["texts", "downloaded"])
    assert found is not None
    assert ("zip", ["downloaded"]) == (found.cause, list(found.document.marks))
    assert documents.find("gazettes", "b", []) is None


def test_reasons_and_details_of_any_length_and_content_are_kept(documents: SqlDocumentLedger) -> None:
    documents.enroll([listed("a"), listed("b")])
    end(documents, "a", Parked(cause="broken", detail="\0\ud800" + "x" * 10_000))
    end(documents, "b", Delayed(reason="\0" + "y" * 10_000))
    (parked,) = documents.parked("gazettes")
    assert parked.parked.detail.startswith("\\x00\\ud800x")
    assert len(parked.parked.detail) < 5_000
    assert len(documents.delayed("gazettes")[0][2]) < 5_000


def test_a_thousand_documents_are_enrolled_claimed_and_settled_at_once(documents: SqlDocumentLedger) -> None:
    documents.enroll([listed(f"{number:05d}") for number in range(1_050)])
    page = stand(documents)
    assert 1000 == len(page)
    assert [] == settle(documents, take(documents, found=page))
    assert documents.stage_counts(BUCKET.collection, BUCKET.month)["texts"]["done"] == 1000


def test_an_extraction_is_found_by_content_and_extractor(documents: SqlDocumentLedger) -> None:
    kept = documents.extractions
    one = Extraction(content="c1", extractor="tika 3.3", output="o1", facts={"uri": "u"})
    kept.keep([one, replace(one, content="c2"), replace(one, extractor="kreuzberg 4", output="o2")])
    kept.keep([replace(one, output="o3")])
    found = kept.find("tika 3.3", ["c1", "c2", "c3"])
    assert {"c1": "o3", "c2": "o1"} == {content: made.output for content, made in found.items()}
    assert {"uri": "u"} == found["c1"].facts
    assert {} == kept.find("tika 3.4", ["c1"])


def test_segments_that_are_no_more_are_told_until_they_are_forgotten(documents: SqlDocumentLedger) -> None:
    documents.enroll([listed("a")])
    kept, parts = documents.segments, [Segment(id=id, fields={"territory_id": id}) for id in "zyx"]
    kept.replace("gazettes", {"a": parts, "b": parts[:1]})
    assert {
        "a": Segmentation(segments=tuple(parts)),
        "b": Segmentation(segments=tuple(parts[:1])),
    } == kept.find("gazettes", ["a", "b", "c"])
    for _ in range(2):
        kept.replace("gazettes", {"a": [parts[1], Segment(id="w")]})
        now = Segmentation(segments=(parts[1], Segment(id="w")), gone=("z", "x"))
        assert {"a": now} == kept.find("gazettes", ["a"])
    kept.forget("gazettes", {"a": ["x", "y"]})
    assert {"a": replace(now, gone=("z",))} == kept.find("gazettes", ["a"])
    kept.replace("gazettes", {"a": parts[:1]})
    assert {"a": Segmentation(segments=tuple(parts[:1]), gone=("y", "w"))} == kept.find("gazettes", ["a"])
