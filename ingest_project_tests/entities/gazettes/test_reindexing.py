"""Reindexing on a real node: the alias moves when all stands in the new index; nothing is lost meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ingest_project.core.document_ledger import Settlement
from ingest_project.core.documents import Bucket, Document, Done, Outcome
from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.entities.gazettes import indices
from ingest_project.entities.gazettes.excerpts import Excerpts
from ingest_project.entities.gazettes.indexed import Indexed
from ingest_project.entities.gazettes.ranked import Ranked, theme_fill
from ingest_project.entities.gazettes.themes import load_themes
from ingest_project.resources.documents.reindexing import Fill, Reindexed, Reindexing, through
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.sinks import indexes
from ingest_project.sinks.live_index import LiveIndex
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.testing.doubles_documents import InMemoryDocumentLedger
from ingest_project.testing.doubles_stages import StageDouble
from ingest_project_tests.entities.gazettes.press import BUCKET, Press, allowed, poster, settings

REAL = Path(__file__).parent / "data" / "themes_config.json"


class Archive:
    """Gazettes in an index, and its reindexing."""

    def __init__(self, api: OpenSearchApi, alias: str) -> None:
        self.api, self.alias, self.press = api, alias, Press()
        self.contract = indices.gazettes()
        self.filled: list[str] = []
        self.looks = 0
        # After which look through all what comes that it did not see.
        self.late: dict[int, str] = {}
        self.loop = asyncio.get_running_loop()
        self.log: list[str] = []

    def index(self, beside: str = "") -> LiveIndex:
        return LiveIndex(self.api, self.alias, self.contract, poster, settings(), beside=beside)

    def stage(self) -> Indexed:
        return Indexed(self.index(), self.press, self.press.segments, "gazettes")

    async def add(self, id: str, text: str) -> None:
        """A gazette comes while the new index is made."""
        contract, self.contract = self.contract, indices.gazettes()
        self.press.print(id, text)
        await self.work()
        self.contract = contract

    async def work(self) -> None:
        stage = self.stage()
        await self.press.run(stage)
        await stage.index.close()

    def pages(self) -> Iterator[Sequence[Document]]:
        self.looks += 1
        found = self.press.through(self.stage())
        yield from (found[start : start + 2] for start in range(0, len(found), 2))
        if late := self.late.pop(self.looks, ""):
            asyncio.run_coroutine_threadsafe(self.add(late, f"texto {late}"), self.loop).result()

    async def fill(self, documents: Sequence[Document], index: LiveIndex) -> Sequence[Outcome]:
        outcomes = await self.stage().fill(documents, index)
        self.filled += [document.id for document in documents]
        return outcomes

    def again(self, fill: Fill | None = None) -> Reindexing:
        return Reindexing(
            self.api,
            self.alias,
            self.index,
            "indexed",
            fill or self.fill,
            self.pages,
            require_write=allowed,
            log=self.log.append,
        )

    async def standing(self, name: str = "") -> dict[str, str]:
        """Document -> text, in the index in use."""
        name = name or self.alias
        await indexes.refresh_index(self.api, name)
        hits = (await self.api.call("POST", f"/{name}/_search", {"size": 100}))["hits"]["hits"]
        return {hit["_source"]["document_id"]: hit["_source"]["source_text"] for hit in hits}

    async def names(self) -> list[str]:
        found = await indexes.our_indices(self.api)
        return [state.name for state in found if state.name.startswith(self.alias)]


@pytest.fixture
async def archive(api: OpenSearchApi, index_name: str) -> Archive:
    made = Archive(api, index_name)
    for id in "12345":
        made.press.print(id, f"texto {id}")
    await made.work()
    return made


async def test_a_new_index_takes_over_with_what_came_meanwhile(archive: Archive) -> None:
    archive.contract = replace(
        archive.contract, settings={**archive.contract.settings, "index.number_of_shards": 2}
    )
    first = archive.fill

    async def meanwhile(documents: Sequence[Document], index: LiveIndex) -> Sequence[Outcome]:
        if not archive.filled:
            await archive.add("6", "texto 6")
            await archive.add("1", "texto 1, mais longo")
        return await first(documents, index)

    archive.late[3] = "7"
    ended = await archive.again(meanwhile).run()
    assert (f"{archive.alias}-first", 6, 1) == (ended.former, ended.documents, ended.late)
    assert {"1": "texto 1, mais longo", "6": "texto 6", "7": "texto 7"}.items() <= (
        await archive.standing()
    ).items()
    assert 7 == len(await archive.standing())
    assert [f"{archive.alias}-first", ended.index] == sorted(await archive.names(), reverse=True)
    state = await indexes.find_index(archive.api, archive.alias)
    assert state is not None
    assert (ended.index, None) == (state.name, state.mark.get("rebuilds"))
    assert {} == await archive.press.run(archive.stage())


async def test_one_that_was_broken_off_goes_on_where_it_stopped(archive: Archive) -> None:
    async def breaking(documents: Sequence[Document], index: LiveIndex) -> Sequence[Outcome]:
        if len(archive.filled) >= 2:
            raise TransientFailure("the server is gone")
        return await archive.fill(documents, index)

    with pytest.raises(TransientFailure, match="the server is gone"):
        await archive.again(breaking).run()
    assert 5 == len(await archive.standing())
    assert ["1", "2"] == archive.filled
    ended = await archive.again().run()
    assert (["1", "2", "3", "4", "5"], 3, 0) == (archive.filled, ended.written, ended.late)
    assert (2, 5) == (len(await archive.names()), len(await archive.standing()))


async def test_the_alias_stays_while_something_is_missing(archive: Archive) -> None:
    lost = archive.press.marks["4"]["texts"].facts["uri"]
    text = archive.press.texts.pop(lost)
    with pytest.raises(TransientFailure, match=r"1 of 2 documents could not be written.*no such text"):
        await archive.again().run()
    assert 5 == len(await archive.standing())
    archive.press.texts[lost] = text
    ended = await archive.again().run(delete_old=True)
    assert (5, True, [ended.index]) == (len(await archive.standing()), ended.deleted, await archive.names())


async def test_fewer_documents_than_there_were_are_asked_about(archive: Archive) -> None:
    del archive.press.marks["5"]["indexed"]
    with pytest.raises(PermanentFailure, match=r"holds 5 documents, .* 4: it is not moved"):
        await archive.again().run()
    ended = await archive.again().run(fewer=True)
    assert (4, 0) == (ended.documents, ended.written)


async def test_a_document_too_many_in_the_new_index_stops_the_move(archive: Archive) -> None:
    async def stray(documents: Sequence[Document], index: LiveIndex) -> Sequence[Outcome]:
        await archive.api.call("PUT", f"/{index.name}/_doc/stray", {"document_id": "none"})
        return await archive.fill(documents, index)

    with pytest.raises(PermanentFailure, match="holds 6 documents, and 5 have to be there"):
        await archive.again(stray).run()
    assert 5 == (await archive.again().run(anew=True)).written
    assert 3 == len(await archive.names())


async def test_a_lost_index_is_made_of_what_the_ledger_knows(archive: Archive) -> None:
    await archive.api.call("DELETE", f"/{archive.alias}-first")
    ended: Reindexed = await archive.again().run()
    assert (5, "") == (ended.documents, ended.former)
    assert 5 == len(await archive.standing())


async def test_a_theme_s_new_index_has_the_scores_too(api: OpenSearchApi, index_name: str) -> None:
    archive = Archive(api, f"{index_name}-gazettes")
    theme = replace(load_themes(REAL)[0], index=f"{index_name}-ambiental")
    archive.press.print("1", "Nos termos da Lei Federal nº 12.651, de 25 de maio de 2012, o município. " * 4)
    archive.press.print("2", "Nada de novo. " * 40)
    await archive.work()

    def index(beside: str = "") -> LiveIndex:
        return LiveIndex(api, theme.index, indices.excerpts(), poster, settings(), beside=beside)

    def stages() -> tuple[Excerpts, Ranked]:
        live = index()
        return Excerpts(theme, archive.index(), live), Ranked(theme, live, HashingEncoder())

    for stage in stages():
        await archive.press.run(stage)
    excerpts, ranked = stages()
    again = Reindexing(
        api,
        theme.index,
        index,
        excerpts.name,
        theme_fill(excerpts, ranked),
        lambda: [archive.press.through(excerpts)],
        require_write=allowed,
        log=archive.log.append,
    )
    ended = await again.run()
    assert (1, 1, 0) == (ended.documents, ended.written, ended.late)
    hits = (await api.call("POST", f"/{theme.index}/_search", {}))["hits"]["hits"]
    assert [ended.index] == [hit["_index"] for hit in hits]
    assert all(hit["_source"]["excerpt_embedding_score"] > 0 for hit in hits)
    assert {} == await archive.press.run(ranked)


def test_through_a_stage_are_those_whose_mark_is_the_wanted_one() -> None:
    stage = StageDouble("copied", after=("before",))
    buckets = [BUCKET, Bucket(collection="gazettes", month="2026-12", number=1)]
    ledger = InMemoryDocumentLedger(lambda: 0.0)
    for number, bucket in enumerate(buckets):
        ledger.enroll([Document(id=f"{n}{number}", bucket=bucket, fields={"n": "1"}) for n in range(5)])
        for name in (*stage.after, stage.name):
            page = ledger.page(bucket, stage.name, stage.after)
            found = {
                one.document.id: stage.fingerprint(one.document) if name == stage.name else "f"
                for one in page[:4]
            }
            found["1" + str(number)] = "of another version"
            claims = ledger.claim(name, page[:4], owner="o", lease=1.0, state="")
            ledger.settle(
                [
                    Settlement(claim=claim, fingerprint=found[claim.document.id], outcome=Done(output="x"))
                    for claim in claims
                ]
            )
    pages = list(through(ledger, buckets, stage, limit=2))
    assert [["00"], ["20", "30"], ["01"], ["21", "31"]] == [[one.id for one in page] for page in pages]
