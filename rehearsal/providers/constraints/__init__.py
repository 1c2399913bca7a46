"""Validation and replacement as the real providers do them, by data measured from their schemas.

``facts`` reads the data of one resource type, ``names`` maps Pulumi's names to the providers', ``checks``
finds violations and ``replacement`` decides which changes only a new resource can have.
"""
