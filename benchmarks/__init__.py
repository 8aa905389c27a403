"""Measuring what the models reach: accuracy, and what it costs."""
