"""Measure the accuracy of the models, and what it costs in time, memory and bytes."""
