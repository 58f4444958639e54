"""The laws as reusable suites: an adapter's test class inherits one and overrides its fixture.

Needs pytest; nothing of the product imports this module.
"""

from __future__ import annotations

from ingest_project.testing.laws_horizon import HorizonLaws
from ingest_project.testing.laws_ledger import LedgerLaws, LedgerWithRejections
from ingest_project.testing.laws_parts import PartStoreLaws

__all__ = ["HorizonLaws", "LedgerLaws", "LedgerWithRejections", "PartStoreLaws"]
