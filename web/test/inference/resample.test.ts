import { expect, test } from 'vitest';
import { resize } from '../../src/inference/resample';
import { grey, opaque } from '../images';

test('an image of one colour keeps it at any size', () => {
  for (const [width, height] of [[1, 1], [3, 8], [17, 5]] as const) {
    const { data } = grey(137, 6);
    const resized = resize(data, 6, 6, [0, 0, 6, 6], width, height);
    expect([...resized]).toEqual(Array(width * height * 3).fill(137));
  }
});

test('an edge overshoots and is clipped to bytes', () => {
  const levels = [0, 0, 0, 0, 255, 255, 255, 255];
  const image = opaque(8, 1, levels.flatMap((level) => [level, level, level]));
  const enlarged = resize(image.data, 8, 1, [0, 0, 8, 1], 32, 1);
  const red = enlarged.filter((_, i) => i % 3 === 0);
  expect(Math.min(...red)).toBe(0);
  expect(Math.max(...red)).toBe(255);
  const edge = [...red.slice(13, 19)];
  expect(edge).toEqual([...edge].sort((a, b) => a - b)); // it rises across the edge
  expect(edge[0]! + edge[5]!).toBe(255); // and is symmetric
});

test('half of an image is the mean of neighbours, weighted by the stretched kernel', () => {
  // Keys' kernel with a = -0.5 at distances 0.25, 0.75, 1.25 and 1.75, for a scale of 1/2.
  const kernel = [0.8671875, 0.2265625, -0.0703125, -0.0234375];
  const levels = [10, 200, 30, 180, 90, 60, 250, 120];
  const image = opaque(8, 1, levels.flatMap((level) => [level, 0, 0]));
  const resized = resize(image.data, 8, 1, [0, 0, 8, 1], 4, 1);
  // Output pixel 1 lies between the input pixels 2 and 3, whose neighbours reach from 0 to 6.
  let sum = 0, weights = 0;
  levels.forEach((level, i) => {
    const distance = Math.abs(i - 2.5) / 2;
    const weight = kernel[Math.floor(distance / 0.5)] ?? 0;
    sum += weight * level;
    weights += weight;
  });
  expect(resized[3]).toBe(Math.round(sum / weights));
});
