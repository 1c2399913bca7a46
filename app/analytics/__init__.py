"""Analytics: ingestion of client events, daily summaries and active accounts."""
