"""The recorded runs of each machine class, one JSON line per run, and the changes among them."""
