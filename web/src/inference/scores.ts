/** Scores of a network: from its output values, and compared with those of another accelerator. */

/** Returns the softmax of logits: scores that add up to 1. */
export function softmax(logits: number[]): number[] {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest)); // at most 1, so none overflows
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * Returns whether two lists of scores differ only by rounding.
 *
 * Rounding moves a score by a small part of the highest score. A GPU that computes something else
 * loses most of the highest score. NaN agrees with nothing.
 */
export function scoresAgree(one: number[], other: number[]): boolean {
  const most = Math.max(16 / 256, 0.5 * Math.max(...one, ...other));
  return one.every((score, i) => Math.abs(score - other[i]!) <= most);
}
