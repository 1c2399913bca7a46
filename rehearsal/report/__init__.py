"""Self-contained HTML reports: plots, tables and findings in one file without a network."""
