"""Content: a worker generates a text and an image from a prompt; the owner can publish them."""
