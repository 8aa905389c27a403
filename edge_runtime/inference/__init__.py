"""From a .tflite file to scores: the file, the graph, the delegate that runs it."""
