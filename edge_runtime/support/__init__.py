"""Tools that know nothing of images or models: console, files, progress, timing, statistics."""
