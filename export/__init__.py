"""Export: from a checkpoint to a .tflite file that is verified and describes itself."""
