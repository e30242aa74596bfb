"""File formats and label codings that two or more tasks use."""
