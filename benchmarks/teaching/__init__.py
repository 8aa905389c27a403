"""What `edge-teach` is worth on a folder of photographs, and what it costs."""
