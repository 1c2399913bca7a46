"""What people make: a prompt becomes a text and a picture, in the worker."""
