"""Drills: the real platform and a little one, with what goes wrong done to them on purpose."""
