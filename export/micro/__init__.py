"""A .tflite file as C for TensorFlow Lite Micro, on microcontrollers."""
