"""Media: image uploads, variants in several widths and formats, and delivery over signed URLs."""
