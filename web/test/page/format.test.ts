import { expect, test } from 'vitest';
import type { Graph } from '../../src/inference/graph';
import type { Metadata } from '../../src/inference/metadata';
import {
  frameRate,
  milliseconds,
  modelFacts,
  networkTitle,
  percent,
  verdict,
} from '../../src/page/format';

test('numbers are rounded, and missing ones are dashes', () => {
  expect(percent(0.98765)).toBe('98.8 %');
  expect(milliseconds(1.26)).toBe('1.3 ms');
  expect(milliseconds(NaN)).toBe('– ms');
  expect(frameRate(29.97)).toBe('30.0 frames/s');
  expect(frameRate(NaN)).toBe('– frames/s');
});

test('networks have titles, other models keep their file name', () => {
  expect(['cnn', 'resnet18', 'mine.tflite'].map(networkTitle)).toEqual([
    'CNN',
    'ResNet18',
    'mine.tflite',
  ]);
});

const BIRD = { label: 'bird', index: 2, score: 0.314 };

test.each([
  [true, false, 'bird', '31.4 %', 'bird, 31.4 %'],
  [false, false, 'none of these', '(bird 31.4 %)', 'none of these (bird 31.4 %)'],
  [false, true, 'bird', '31.4 %', 'bird, 31.4 %'],
])('accepted %s, all accepted %s: %s %s', (accepted, acceptAll, label, score, sentence) => {
  const found = verdict({ predictions: [BIRD], accepted }, acceptAll);
  expect(found).toEqual({ label, score, sentence });
});

function facts(dtype: 'uint8' | 'float32', metadata: Partial<Metadata>, givesLogits = false) {
  const quantization = { scale: dtype === 'uint8' ? 1 / 255 : 0, zeroPoint: 0 };
  const graph: Graph = {
    input: { shape: [1, 32, 24, 3], dtype, quantization },
    output: { shape: [1, 2], dtype, quantization },
    givesLogits,
  };
  const all: Metadata = {
    labels: ['cat', 'dog'],
    normalization: undefined,
    source: 'metadata',
    threshold: undefined,
    ...metadata,
  };
  return modelFacts('mine.tflite', 1234567, graph, all, 'CPU');
}

test('the facts of a model that says nothing are marked as assumed', () => {
  expect(facts('uint8', {})).toEqual({
    'Really runs on': 'CPU',
    File: 'mine.tflite, 1,234,567 bytes',
    Input: '32 × 24 × 3, uint8',
    Pixels: 'raw bytes; assumed, the file does not say',
    Labels: 'cat, dog',
  });
  expect(facts('float32', {}).Pixels).toBe('pixel / 255; assumed, the file does not say');
});

test.each([
  [[0, 0, 0], [255, 255, 255], 'pixel / 255'],
  [[127.5, 127.5, 127.5], [128, 128, 128], '(pixel − 127.5) / 128'],
  [[1, 2, 3], [4, 4, 4], '(pixel − (1, 2, 3)) / 4'],
  [[0, 0, 0], [4, 5, 6], 'pixel / (4, 5, 6)'],
])('the normalization %j, %j is a formula', (mean, std, formula) => {
  const metadata = { normalization: { mean, std }, source: 'model card' };
  expect(facts('float32', metadata).Pixels).toBe(`${formula}; from the file’s model card`);
  expect(facts('uint8', metadata).Pixels).toBe(`${formula}, quantized; from the file’s model card`);
});

test('the threshold of a model is a fact', () => {
  expect(facts('uint8', { threshold: 0.519 }).Accepts).toBe('scores from 51.9 %');
});

test('many labels are cut, and a missing softmax is told', () => {
  const labels = Array.from({ length: 1000 }, (_, i) => `class ${i}`);
  expect(facts('uint8', { labels }).Labels).toMatch(/^class 0, .*class 19 and 980 more$/);
  expect(facts('uint8', {}, true).Scores).toContain('softmax');
});
