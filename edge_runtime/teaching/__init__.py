"""Teaching own classes: from photographs in folders to a .tflite file, without TensorFlow.

`edge_runtime.teaching.teach` is the whole way; `edge-teach` is its command.
"""
