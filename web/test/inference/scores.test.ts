import { expect, test } from 'vitest';
import { scoresAgree, softmax } from '../../src/inference/scores';

test('softmax gives scores that add up to 1', () => {
  const scores = softmax([Math.log(1), Math.log(2), Math.log(5)]);
  [0.125, 0.25, 0.625].forEach((score, i) => expect(scores[i]).toBeCloseTo(score, 12));
});

test('softmax of large logits does not overflow', () => {
  expect(softmax([1000, 1000])).toEqual([0.5, 0.5]);
  expect(softmax([-1000, 0])[1]).toBe(1);
});

test('scores agree within rounding, but not if the best class loses most of its score', () => {
  expect(scoresAgree([0.9, 0.1], [0.85, 0.15])).toBe(true);
  expect(scoresAgree([0.9, 0.1], [0.1, 0.9])).toBe(false);
  expect(scoresAgree([0.1, 0.1], [0.1, 0.16])).toBe(true); // 16/256 and below is rounding
});

test('NaN agrees with nothing', () => {
  expect(scoresAgree([NaN, 0.1], [0.9, 0.1])).toBe(false);
  expect(scoresAgree([NaN, NaN], [NaN, NaN])).toBe(false);
});
