"""`Model`: a .tflite image classifier, from images to results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.inference.loading import acceptance_of
from edge_runtime.inference.options import checked, require
from edge_runtime.inference.scorer import Scorer
from edge_runtime.inference.shipped import DEFAULT_MODEL
from edge_runtime.results import NONE_OF_THESE, Prediction, Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.inference.acceptance import Acceptance, MaxError
    from edge_runtime.inference.preprocessing import ImageLike
    from edge_runtime.inference.second_opinion import SecondOpinion


class Model(Scorer):
    """An image classifier loaded from a .tflite file.

    A model is a context manager, and several threads may use it at once.

    Attributes:
        acceptance: which best classes count; None if all do.
        second: the model that is asked if this one is unsure; None if there is none.

    The other attributes are those of `edge_runtime.inference.scorer.Scorer`.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        delegate: str = "xnnpack",
        threads: int | None = None,
        many: bool = False,
        gpu_precision: str = "fp32",
        labels: Sequence[str] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        fit: str | None = None,
        scores: str = "auto",
        views: int = 1,
        allow_urls: bool = False,
        accept_all: bool = False,
        max_error: MaxError | None = None,
        second_opinion: str | Path | None = None,
        unsure_below: float | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: the path of a .tflite file, or the name of a shipped model.
            delegate: `xnnpack`, `cpu`, `openvino`, `gpu`, `npu`, `auto`, or an external delegate's
                path; see `edge_runtime.inference.delegates`.
            threads: CPU threads in all: for one image, or for as many images of a batch at once.
                Default: 1, all cores if `many`, or for `auto` what `edge-benchmark --tune` found.
            many: expect many images, such as a folder.
            gpu_precision: what the GPU computes in, `fp32` or `fp16`.
            labels: class names that replace the file's.
            mean: subtracted from a pixel (0-255); one number, or one for each channel. It replaces
                the file's.
            std: the difference is divided by this; one number, or one for each channel.
            fit: `crop`, `stretch` or `pad`, which replaces the file's; see
                `edge_runtime.inputs.resize.fit`.
            scores: `softmax` applies one to the model's output, `none` takes the output for scores,
                and `auto` decides, see `edge_runtime.inference.scores.decide`.
            views: average the scores of this many views of an image, 1 to 8; see
                `edge_runtime.inference.views`.
            allow_urls: fetch images and streams that are named by URLs. A service that classifies
                what it is sent should not: it would fetch any address for anyone.
            accept_all: let every best class count, whatever its score.
            max_error: instead of the model's threshold, use the lowest one that keeps the share of
                wrong results among the accepted below this, 0-1; a mapping says so for single
                classes. See `edge_runtime.inference.acceptance`.
            second_opinion: another model of the same classes. If this one is unsure, the mean of
                both models' scores decides. The other arguments hold for both.
            unsure_below: best scores below this are unsure, 0-1. None takes what the model's card
                says about this second model, see `edge_runtime.inference.second_opinion`.

        Raises:
            ModelError: there is no such model, it is damaged, or it is not an image classifier.
            OptionError: the labels, `mean` or `std` do not fit the model, no threshold keeps
                `max_error`, the second model has other labels, or nothing says when to ask it.
            DelegateError: the delegate is not available, does not take the model, or computes
                it wrongly.
            ValueError: an argument has none of the values listed above.
        """
        super().__init__(
            checked(
                model,
                delegate=delegate,
                threads=threads,
                many=many,
                gpu_precision=gpu_precision,
                labels=labels,
                mean=mean,
                std=std,
                fit=fit,
                scores=scores,
                views=views,
                allow_urls=allow_urls,
                accept_all=accept_all,
                max_error=max_error,
                second_opinion=second_opinion,
                unsure_below=unsure_below,
            )
        )
        self.second: SecondOpinion | None = None
        self.acceptance: Acceptance | None
        mine = self.options, self.metadata, self.labels
        if second_opinion is None:
            self.acceptance, left_out = acceptance_of(*mine)
            self.warnings += left_out
        else:
            from edge_runtime.inference.second_opinion import join

            self.second, self.acceptance = join(self, second_opinion)
            if self.acceptance is None and acceptance_of(*mine)[0] is not None:
                self.warnings += (
                    f"no threshold was measured together with {self.second.model.name} below "
                    f"{self.second.unsure_below:g}, so every best class counts",
                )

    def classify(self, image: ImageLike, *, top_k: int = 1) -> Result:
        """Return the `top_k` most likely classes of one image, best first.

        Args:
            image: a file's path, an open file, an image of Pillow, an http(s) URL if allowed, or
                uint8 (H, W, 3), RGB, 0-255, of any size.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
            ModelError: the model fails on it.
            ValueError: `top_k` is not positive, or the model is closed.
        """
        if self.second is None:
            return self.result(self.scores(image), self.name, top_k=top_k)
        opinion = self.second.ask_first(self, image)
        return self.result(self.second.decide(opinion), opinion.name, top_k=top_k)

    def scores(self, image: ImageLike) -> NDArray[np.float32]:
        """Return the scores of all classes, float32 (classes,), 0-1.

        Args:
            image: as for `classify`, as are the errors raised.
        """
        if self.second is None:
            return super().scores(image)
        return self.second.decide(self.second.ask_first(self, image))

    def result(self, scores: NDArray[np.float32], name: str, *, top_k: int = 1) -> Result:
        """Return the result of an image with these scores.

        Args:
            scores: float32 (classes,), 0-1.
            name: of the model that decided.

        Raises:
            ValueError: `top_k` is not positive.
        """
        require("top_k", top_k >= 1, "at least 1", top_k)
        best = self.predictions(scores, top_k=max(top_k, 2))
        accepted = self.acceptance is None or self.acceptance.accepts(best)
        return Result(predictions=best[:top_k], accepted=accepted, model=name)

    def predictions(self, scores: NDArray[np.float32], *, top_k: int = 1) -> tuple[Prediction, ...]:
        """Return the `top_k` best classes, best first.

        A last output named `none-of-these` lowers the scores of all classes, but is none itself.

        Args:
            scores: float32 (classes,), 0-1.

        Raises:
            ValueError: `top_k` is not positive.
        """
        require("top_k", top_k >= 1, "at least 1", top_k)
        order = (-scores).argsort(kind="stable")
        if self.labels[-1] == NONE_OF_THESE:
            order = order[order != len(self.labels) - 1]
        best = order[:top_k].tolist()
        return tuple(Prediction(self.labels[i], i, float(scores[i])) for i in best)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make the same model in another process, as JSON types.

        The other process gets one thread and the delegate that runs this model.
        """
        options = self.options
        values = {
            "model": str(self.absolute_path),
            "delegate": self.placement.delegate,
            "gpu_precision": options.gpu_precision,
            "labels": options.labels,
            "mean": options.mean,
            "std": options.std,
            "fit": options.fit,
            "scores": "softmax" if self._gives_logits else "none",
            "views": options.views,
            "allow_urls": options.allow_urls,
            "accept_all": options.accept_all,
            "max_error": options.max_error,
        }
        if self.second is not None:
            values["second_opinion"] = str(self.second.model.absolute_path)
            values["unsure_below"] = self.second.unsure_below
            values["scores"] = options.scores  # what was decided may differ between the two
        return values

    def scorers(self) -> dict[str, Scorer]:
        """Return what holds the model files, by the names of their arguments of `Model`."""
        if self.second is None:
            return {"model": self}
        return {"model": self, "second_opinion": self.second.model}

    def close(self) -> None:
        """Free the model, and the second one. Closing twice does no harm."""
        super().close()
        if self.second is not None:
            self.second.model.close()
