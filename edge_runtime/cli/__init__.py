"""The command `edge-classify`: its fast path and its options."""
