"""One folder an entity; none imports a sibling. definitions.py finds every defs.py here."""
