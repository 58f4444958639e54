"""Every read of conversations fits its table, and the earlier tool's mistakes would not pass."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from ingest_project.core.access_linting import lint_request
from ingest_project.entities import conversations
from ingest_project.entities.conversations import queries
from ingest_project.entities.conversations.linting import complaints
from ingest_project.entities.conversations.tables import tables_of

TABLES = tables_of()
FOLDER = Path(conversations.__file__).parent


def test_no_read_has_a_complaint() -> None:
    assert [] == complaints()


def test_every_read_that_is_defined_is_held_by_the_linter() -> None:
    kinds = (queries.Query, queries.Scan, queries.Lookup)
    named = [one for one in vars(queries).values() if isinstance(one, kinds)]
    held = (*queries.CONTEXT, *queries.IN_BULK, *queries.MEASURED)
    assert [] == [one.name for one in named if one not in held]
    assert len(held) == len({one.name for one in held})


def test_no_module_asks_a_table_but_by_these_values() -> None:
    words = ("KeyConditionExpression", "ProjectionExpression", "FilterExpression")
    texts = {
        path.name: [
            node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
        ]
        for path in FOLDER.rglob("*.py")
    }
    assert [] == [name for name, found in texts.items() if any(word in found for word in words)]


def asked(index: str, condition: str, projection: str, names: dict[str, str], table: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": condition,
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": names,
    }


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        pytest.param(
            asked(
                "UserTimeIndex",
                "#u = :u AND #t >= :s",
                "#t, #r, #c",
                {"#u": "user_id", "#t": "timestamp", "#r": "role", "#c": "content"},
                "conversation-history-v2",
            ),
            "asks for content, which conversation-history-v2/UserTimeIndex does not project",
            id="recent messages with their whole text from the index by time",
        ),
        pytest.param(
            asked(
                "SessionIndex",
                "#s = :s",
                "#t, #k",
                {"#s": "session_id", "#t": "timestamp", "#k": "tokens"},
                "conversation-history-v2",
            ),
            "asks for tokens, which conversation-history-v2/SessionIndex does not project",
            id="tokens from the index by session",
        ),
        pytest.param(
            asked(
                "SimilarityIndex",
                "#u = :u AND #h = :h",
                "#e, #p",
                {"#u": "user_chunk", "#h": "similarity_hash", "#e": "embedding_id", "#p": "text_preview"},
                "conversation-embeddings",
            ),
            "asks for text_preview, which conversation-embeddings/SimilarityIndex does not project",
            id="previews from the index by similarity",
        ),
    ],
)
def test_the_three_index_mistakes_of_the_earlier_tool_are_caught(request_: dict[str, Any], said: str) -> None:
    assert [said] == [one.text for one in lint_request("earlier", "Query", request_, TABLES)]


def test_a_scan_on_the_way_to_an_answer_is_caught() -> None:
    (found,) = lint_request("earlier", "Scan", {"TableName": "conversation-embeddings"}, TABLES)
    assert "reads all of conversation-embeddings: a question is answered by Query" == found.text
