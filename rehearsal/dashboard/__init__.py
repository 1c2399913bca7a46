"""The local dashboard: a page on loopback over the recorder."""
