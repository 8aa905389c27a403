"""The course of a run: learning rate of each step, resolution of each epoch, early stopping."""

from __future__ import annotations

from train.checkpoint import State
from train.recipe import Recipe


def learning_rate(recipe: Recipe, state: State, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step (0-based) of the epoch after `state.epoch`.

    One-cycle: linear from zero to the highest rate during warm-up, then linear to zero at the
    end of the last epoch. A restart is a further cycle without warm-up: it begins at its highest
    rate when the previous cycle has come to zero (Loshchilov and Hutter, "SGDR", 2017).
    """
    if recipe.schedule == "plateau":
        return state.learning_rate
    first_cycle = recipe.epochs - sum(epochs for epochs, _ in recipe.restarts)
    total = first_cycle * steps_per_epoch
    done = state.epoch * steps_per_epoch + step + 0.5
    if done < total:
        peak = recipe.warm_up * total
        share = done / peak if done < peak else (total - done) / (total - peak)
        return recipe.learning_rate * share
    for epochs, highest in recipe.restarts:
        done -= total
        total = epochs * steps_per_epoch
        if done < total:
            return highest * (1.0 - done / total)
    return 0.0


def resolution(recipe: Recipe, epoch: int) -> int | None:
    """Return the side in pixels to which an epoch (0-based) shrinks its images.

    None means that it leaves them as they are.
    """
    for epochs, side in recipe.low_resolution:
        if epoch < epochs:
            return side
        epoch -= epochs
    return None


def seconds_left(recipe: Recipe, state: State, *, full_side: int) -> float:
    """Estimate the time that the rest of a run takes, if nothing stops it early.

    The time of an epoch is taken to grow with the number of its pixels.

    Args:
        state: after at least one epoch.
        full_side: side in pixels of an image that is not shrunk.
    """
    pixels = [(resolution(recipe, epoch) or full_side) ** 2 for epoch in range(recipe.epochs)]
    return state.seconds * sum(pixels[state.epoch :]) / sum(pixels[: state.epoch])


def note_progress(recipe: Recipe, state: State, loss: float) -> bool:
    """Update the early-stopping and plateau counts; return whether this epoch is the best.

    Args:
        loss: on the held-out images, after `state.epoch` epochs.
    """
    better = loss < state.best_loss
    if better:
        state.best_epoch, state.best_loss = state.epoch, loss
        state.stalled = state.stalled_at_this_rate = 0
    else:
        state.stalled += 1
        state.stalled_at_this_rate += 1
        if recipe.schedule == "plateau" and state.stalled_at_this_rate >= recipe.plateau_patience:
            cut = state.learning_rate * recipe.plateau_factor
            state.learning_rate = max(cut, recipe.min_learning_rate)
            state.stalled_at_this_rate = 0
    return better


def stopped_early(recipe: Recipe, state: State) -> bool:
    """Return whether the held-out loss has stalled for as many epochs as the recipe allows."""
    patience = recipe.early_stopping_patience
    return patience is not None and state.stalled >= patience
