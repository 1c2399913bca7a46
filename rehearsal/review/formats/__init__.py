"""Write a review as a comment, a log or a report."""
