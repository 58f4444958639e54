"""What users and assistants say in generated conversations: topics, three languages, deterministic by seed.

Texts of one topic are near each other for an encoder, and no two need to be equal. Knows no table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

TOPICS: Mapping[str, Sequence[str]] = {
    "garden": ("tomatoes", "roses", "the compost", "an old apple tree", "lettuce", "the lawn", "basil"),
    "cooking": ("bread", "lentil soup", "a birthday cake", "fresh pasta", "rice", "a fish stew", "pickles"),
    "travel": ("a night train", "the ferry to the island", "a visa", "two weeks in Peru", "my luggage"),
    "health": ("a sore knee", "bad sleep", "running again", "a cold", "my back", "headaches", "vaccines"),
    "code": ("a slow query", "a memory leak", "unit tests", "a race condition", "type hints", "a merge"),
    "money": ("my tax return", "a mortgage", "a savings plan", "an invoice", "shares", "insurance"),
    "music": ("the violin", "jazz chords", "a choir", "old records", "a drum solo", "sight reading"),
    "school": ("fractions", "the French revolution", "an essay", "photosynthesis", "irregular verbs"),
    "pets": ("a puppy", "our old cat", "an aquarium", "a parrot", "two rabbits", "a shy horse"),
    "house": ("a leaking tap", "the heating", "a squeaking door", "paint", "a new roof", "the boiler"),
    "work": ("a job interview", "my boss", "a salary talk", "a remote team", "a report", "burnout"),
    "law": ("a lease", "a parking fine", "a will", "a contract", "a warranty", "noisy neighbours"),
    "space": ("the moon landing", "black holes", "a telescope", "Mars", "a comet", "satellites"),
    "football": ("the last match", "offside", "a penalty", "the coach", "the under twelve team"),
    "cars": ("a flat tyre", "an electric car", "the brakes", "a driving test", "winter wheels"),
    "history": ("the Romans", "the silk road", "a castle", "the steam engine", "medieval guilds"),
}
PLACES: Sequence[str] = (
    *("at home", "in Lisbon", "for my sister", "this winter", "near the sea", "at work"),
    *("before Friday", "on a small budget", "with children", "for beginners", "after the rain", "again"),
)

ASKED: Sequence[str] = (
    "How do I deal with {thing} {place}?",
    "What should I know about {thing} {place}?",
    "I have trouble with {thing} {place}, can you help?",
    "Tell me the first three steps for {thing} {place}.",
    "Como resolvo {thing} {place}, em poucas palavras?",
    "¿Qué hago con {thing} {place}?",
)
ANSWERED: Sequence[str] = (
    "For {thing} {place}, begin with what you have, then look at {other}.",
    "Many people ask about {thing}; {place} the usual advice is to wait a day and check {other}.",
    "{thing} {place}: first measure, then write down what changed, and compare it with {other}.",
    "Sobre {thing}: comece devagar, anote tudo e pense em {other} {place}.",
    "Con {thing} {place} conviene empezar por {other}.",
)
_HOSTILE: Sequence[str] = (
    '"quoted" \\ and\ttabs\nand lines',
    "e\u0301 vs é, 👩‍👩‍👧 🜁",
    "\u0000 is allowed",
    "  ",
)
_LONG_SHARE, _HOSTILE_SHARE = 0.02, 0.01


def text_of(rng: Random, role: str, topic: str) -> str:
    """One message of the topic: a sentence as a rule, now and then a long one or hostile characters."""
    things = TOPICS[topic]
    text = rng.choice(ASKED if role == "user" else ANSWERED).format(
        thing=rng.choice(things), other=rng.choice(things), place=rng.choice(PLACES)
    )
    draw = rng.random()
    if draw < _HOSTILE_SHARE:
        return f"{text} {rng.choice(_HOSTILE)}"
    if draw < _HOSTILE_SHARE + _LONG_SHARE:
        return " ".join([text] * rng.randint(4, 40))
    return text
