"""What the real providers check and replace, as data measured from them, applied to Pulumi's inputs.

``facts`` reads the data of one resource type, ``names`` maps Pulumi's names to the providers', ``checks``
finds violations and ``replacement`` decides which changes only a new resource can have.
"""
