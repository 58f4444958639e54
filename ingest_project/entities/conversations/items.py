"""One message as its items in the two new tables, typed as DynamoDB has them; the vector's part comes later.

Whoever writes a message, new or old, makes its items here: so what is written is what is verified.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ingest_project.core.encoding import text_key
from ingest_project.entities.conversations.keys import keys_of
from ingest_project.entities.conversations.tables import PREVIEW_CHARACTERS, SUMMARY_CHARACTERS, TTL

Item = dict[str, Any]


def message_items(
    *,
    user_id: str,
    session_id: str | None,
    role: str,
    content: str,
    moment: datetime,
    message: str,
    expires: int,
) -> tuple[Item, Item]:
    """The item of the history, to which tokens and metadata may be added, and that of the embeddings, which
    wants ``Similarity.attributes`` of the content's vector.

    Args:
        session_id: None: of no session, and so in no index by session.
        message: Its id (keys.message_id), or another word that no other message of the user has.
        expires: Second (keys.expiry).
    """
    keys = keys_of(user_id, moment, role, message)
    common: Item = {
        "user_id": {"S": user_id},
        **({} if session_id is None else {"session_id": {"S": session_id}}),
        "role": {"S": role},
        "timestamp": {"S": keys.timestamp},
        "user_date": {"S": keys.user_date},
        "timestamp_type": {"S": keys.timestamp_type},
        "content_hash": {"S": text_key(content)},
        TTL: {"N": str(expires)},
    }
    history = common | {
        "content": {"S": content},
        "content_summary": {"S": content[:SUMMARY_CHARACTERS]},
        "message_id": {"S": keys.message_id},
    }
    embedding = common | {
        "user_chunk": {"S": keys.user_chunk},
        "embedding_id": {"S": keys.message_id},
        "text_preview": {"S": content[:PREVIEW_CHARACTERS]},
    }
    return history, embedding
