"""The exceptions of the runtime; every one of them derives from `EdgeRuntimeError`.

    EdgeRuntimeError
    +-- ModelError        the .tflite file cannot be used
    +-- DelegateError     what was asked to run the model is not there, or does not take it
    +-- ImageError        the image cannot be read
    +-- StreamError       the camera or video cannot be read
    +-- ClusterError      the Ray cluster cannot be used, or not for these results

Their messages are one sentence for a person: what was expected, what was found, what to do.
This file imports nothing.
"""


class EdgeRuntimeError(Exception):
    """Base class of all errors that the runtime raises on purpose."""


class ModelError(EdgeRuntimeError):
    """A model file is missing, damaged or not an image classifier."""


class DelegateError(EdgeRuntimeError):
    """A delegate is not available on this machine, or cannot run the model."""


class ImageError(EdgeRuntimeError):
    """An image is missing, damaged, too large or not an image at all."""


class StreamError(EdgeRuntimeError):
    """A camera or video cannot be opened, or is lost for good."""


class ResumeError(EdgeRuntimeError):
    """A former run's results are not such that this one can go on with them."""


class ClusterError(EdgeRuntimeError):
    """Ray is not installed, its cluster away, or there are other results in the way."""
