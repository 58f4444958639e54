"""A ready RestApi from Settings: guarded, within the budget that all processes share, with TLS verified."""

from __future__ import annotations

import asyncio
import time
from random import Random

from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.retrying import RetryPolicy
from ingest_project.ledgers.budgets import LedgerBudget
from ingest_project.resources.api_access import ApiAccess, Visit
from ingest_project.resources.connect import tls_context
from ingest_project.resources.deployments import Settings
from ingest_project.sources.rest_api import PagingRules, RestApi
from ingest_project.sources.rest_bodies import explain
from ingest_project.sources.rest_login import BasicLogin, TokenLogin
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint
from ingest_project.wire.pacing import SharedPace

SILENCE_SECONDS = 60.0
"""What a 429 without Retry-After asks for, by the API's documentation."""

RETRY = RetryPolicy(attempts=8, base=1.0, cap=60.0)
TOKEN_SECONDS, TOKEN_TRIES = 60.0, 5
API = "wms"
"""Name of the shared budget."""


def paged_api(settings: Settings, visit: Visit = "since") -> RestApi:
    """The warehouse API, for one run of this kind.

    Raises:
        ConfigurationError: It is not configured.
    """
    access = settings.wms
    access.require()
    timing = access.timing(visit)
    answer_seconds = min(access.answer_seconds, timing.request)
    limits = CallLimits(at_once=access.at_once, deadline=timing.request, silence=SILENCE_SECONDS)
    client = GuardedClient(
        Endpoint(access.url, connections=access.at_once, timeout=answer_seconds, tls=tls_context(settings)),
        retry=RETRY,
        breaker=CircuitBreaker(time.monotonic),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(),
        limits=limits,
        pace=SharedPace(api_budget(settings)),
        explain=explain,
    )
    rules = PagingRules(
        page_size=access.page_size,
        page_mode=access.page_mode,
        filters=access.filters,
        run_seconds=timing.run,
    )
    return RestApi(
        client,
        access.url,
        _login(settings, access),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(),
        rules=rules,
    )


def api_budget(settings: Settings) -> LedgerBudget:
    """The requests that all processes of this ledger may make together."""
    return LedgerBudget(settings.ledger_url, API, settings.wms.quota)


def _login(settings: Settings, access: ApiAccess) -> BasicLogin | TokenLogin:
    if not access.client_id:
        return BasicLogin(access.user, access.password)
    client = GuardedClient(
        Endpoint(access.token_url, connections=1, timeout=TOKEN_SECONDS, tls=tls_context(settings)),
        retry=RetryPolicy(attempts=TOKEN_TRIES, base=0.5, cap=10.0),
        breaker=CircuitBreaker(time.monotonic),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(),
        limits=CallLimits(at_once=1, deadline=5 * TOKEN_SECONDS),
        explain=explain,
    )
    return TokenLogin(
        client, access.client_id, access.client_secret, clock=time.monotonic, scope=access.scope
    )
