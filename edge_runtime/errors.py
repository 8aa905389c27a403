"""The exceptions of the runtime, all derived from `EdgeRuntimeError`.

    EdgeRuntimeError
    +-- ModelError        the .tflite file cannot be used
    |   +-- OptionError   the labels, means or deviations given do not fit the model
    +-- DelegateError     the delegate is not available, or cannot run the model
    +-- ImageError        the image cannot be read
    +-- StreamError       the camera or video cannot be read
    +-- TeachingError     the photographs cannot be taught
    +-- OutputError       the results may not be written there
    +-- ResumeError       the results of a previous run cannot be resumed
    +-- ClusterError      the Ray cluster cannot be used, or not for these results

A message is one sentence for a person: what was expected, what was found, what to do. An error has
nothing but its message, because worker processes send it as its class's name and its message. All
errors are public names of `edge_runtime`. This file imports nothing.
"""


class EdgeRuntimeError(Exception):
    """Base class of all errors of the runtime."""


class ModelError(EdgeRuntimeError):
    """A model file is missing, damaged or not an image classifier."""


class OptionError(ModelError, ValueError):
    """The labels, means or deviations that were given do not fit the model."""


class DelegateError(EdgeRuntimeError):
    """A delegate is not available on this machine, or cannot run the model."""


class ImageError(EdgeRuntimeError):
    """An image is missing, damaged or too large, or it is not an image."""


class StreamError(EdgeRuntimeError):
    """A camera or video cannot be opened, or it was lost and did not come back."""


class TeachingError(EdgeRuntimeError):
    """The folders do not hold what can be taught: classes with enough photographs."""


class OutputError(EdgeRuntimeError):
    """The results may not be written where they should go: something else would be lost."""


class ResumeError(EdgeRuntimeError):
    """The results of the previous run cannot be resumed by this one."""


class ClusterError(EdgeRuntimeError):
    """Ray is not installed, its cluster cannot be reached, or other results are in the way."""
