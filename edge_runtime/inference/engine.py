"""What every engine has in common.

An engine runs one image at a time, or a batch on the CPU. There are three kinds.
`xnnpack`, `cpu` and external delegates run in LiteRT's Interpreter, which starts fastest and is
what external delegates need. `gpu` and `npu` run in its CompiledModel, and `openvino` in another
library. `edge_runtime.inference.opening` opens them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.placement import Placement, Scoring
    from edge_runtime.inference.signature import Tensor


class Engine(Protocol):
    """The graph of an image classifier, ready to run.

    Attributes:
        input: images, (batch, height, width, channels).
        output: scores of one image, one or more dimensions of 1 and then the classes.
        scoring: where the graph turns logits into scores, if it does.
        integer: whether the graph uses integer arithmetic, whose rounding differs between engines.
        placement: which delegate runs which operations.
    """

    input: Tensor
    output: Tensor
    scoring: Scoring
    integer: bool
    placement: Placement

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the raw output, (classes,), or that of each image of a batch in a row.

        Args:
            image: of the input's type and shape. In LiteRT's Interpreter it may have any number of
                images, if the graph takes them.

        Raises:
            ModelError: an operation of the graph failed, or the graph does not take so many images.
        """
