"""The golden inventory: for each stack, every resource with its key properties, and how many of each type."""
