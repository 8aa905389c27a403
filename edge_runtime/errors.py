"""The exceptions of the runtime; every one of them derives from `EdgeRuntimeError`.

    EdgeRuntimeError
    +-- ModelError    the .tflite file cannot be used
    +-- ImageError    the image cannot be read

Their messages are one sentence for a person: what was expected, what was found, what to do.
This file imports nothing.
"""


class EdgeRuntimeError(Exception):
    """Base class of all errors that the runtime raises on purpose."""


class ModelError(EdgeRuntimeError):
    """A model file is missing, damaged or not an image classifier."""


class ImageError(EdgeRuntimeError):
    """An image is missing, damaged, too large or not an image at all."""
