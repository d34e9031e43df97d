"""The conservation ledger across topics, facts and the origin: nothing lost, nothing stale live, nothing doubled."""
