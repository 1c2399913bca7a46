"""Pictures that people bring: taken in, made small in several formats, delivered over signed addresses."""
