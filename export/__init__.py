"""Export: from a checkpoint to a .tflite file that is proven and says what it is."""
