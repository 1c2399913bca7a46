"""The subset of PromQL that the declared signals use: parsed and evaluated over recorded samples."""
