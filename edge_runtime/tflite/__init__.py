"""Writing .tflite files: the graph, and what describes it. `inference` reads them."""
