import { beforeEach, expect, test, vi } from 'vitest';
import { PageError } from '../../src/errors';
import { Classifier } from '../../src/inference/classifier';
import { Engine, type Accelerator } from '../../src/inference/engine';
import { attach, goldenModel, repositoryFile, sidecarOf } from '../files';
import { grey, opaque } from '../images';

vi.mock('../../src/inference/engine', () => ({ Engine: { load: vi.fn() } }));

type Run = (input: ArrayLike<number>) => ArrayLike<number>;

/** Makes `Engine.load` return engines that compute what the test says. */
function engines(computes: Partial<Record<Accelerator, Run>>) {
  const loaded: { accelerator: Accelerator; run: Run; close: () => void }[] = [];
  vi.mocked(Engine.load).mockImplementation(async (_data, accelerator) => {
    const engine = { accelerator, run: vi.fn(computes[accelerator]), close: vi.fn() };
    loaded.push(engine);
    return engine as unknown as Engine;
  });
  return loaded;
}

const noImages = async () => [];

beforeEach(() => vi.clearAllMocks());

test('predictions are sorted, and labelled by the index of their class', async () => {
  engines({ wasm: () => Float32Array.of(0.25, 0.5, 0.25) });
  const classifier = await Classifier.load(goldenModel('float32'), 'mine', 'wasm', noImages);
  const { predictions, seen } = await classifier.classify(opaque(4, 4, Array(48).fill(51)));
  const { labels } = classifier.metadata;
  expect(labels).toHaveLength(3);
  // On a tie the lower index comes first.
  expect(predictions).toEqual([
    { label: labels[1], index: 1, score: 0.5 },
    { label: labels[0], index: 0, score: 0.25 },
    { label: labels[2], index: 2, score: 0.25 },
  ]);
  expect([...seen]).toEqual(Array(48).fill(51));
  expect(classifier.engine.run).toHaveBeenLastCalledWith(new Float32Array(48).fill(51 / 255));
});

test('a uint8 model takes bytes, and its output is dequantized', async () => {
  engines({ wasm: () => Uint8Array.of(0, 64, 192) });
  const classifier = await Classifier.load(goldenModel('uint8'), 'mine', 'wasm', noImages);
  const { predictions } = await classifier.classify(grey(200));
  expect(predictions.map(({ score }) => score)).toEqual([0.75, 0.25, 0]);
  expect(classifier.engine.run).toHaveBeenLastCalledWith(new Uint8Array(48).fill(200));
});

test('logits become scores', async () => {
  engines({ wasm: () => Float32Array.of(0, Math.log(2), 0) });
  const classifier = await Classifier.load(goldenModel('logits'), 'mine', 'wasm', noImages);
  const { predictions } = await classifier.classify(grey());
  expect(predictions[0]!.score).toBeCloseTo(0.5, 6);
});

test('classes without labels have their numbers as labels', async () => {
  engines({ wasm: () => Float32Array.of(0.1, 0.2, 0.7) });
  const classifier = await Classifier.load(goldenModel('unlabelled'), 'mine', 'wasm', noImages);
  expect((await classifier.classify(grey())).predictions[0]!.label).toBe('2');
});

test.each([
  [0.5, true],
  [0.51, false],
])('with the threshold %s, a best score of 0.5 is accepted: %s', async (threshold, accepted) => {
  engines({ wasm: () => Float32Array.of(0.25, 0.5, 0.25) });
  const card = { 'model-card.json': JSON.stringify({ acceptance: { threshold } }) };
  const model = attach(goldenModel('unlabelled'), card);
  const classifier = await Classifier.load(model, 'mine', 'wasm', noImages);
  expect((await classifier.classify(grey())).accepted).toBe(accepted);
});

test('the file beside a model gives another threshold', async () => {
  engines({ wasm: () => Float32Array.of(0.25, 0.5, 0.25) });
  const model = goldenModel('unlabelled');
  const sidecar = sidecarOf(model, { threshold: 0.75 });
  const classifier = await Classifier.load(model, 'mine', 'wasm', noImages, sidecar);
  expect((await classifier.classify(grey())).accepted).toBe(false);
});

test('a last output none-of-these is no class', async () => {
  engines({ wasm: () => Float32Array.of(0.1, 0.2, 0.7) });
  const labels = { 'labels.txt': 'cat\ndog\nnone-of-these\n' };
  const model = attach(goldenModel('unlabelled'), labels);
  const classifier = await Classifier.load(model, 'mine', 'wasm', noImages);
  const { predictions } = await classifier.classify(grey());
  expect(predictions.map(({ label }) => label)).toEqual(['dog', 'cat']);
});

test('scores that are not finite are an error, not a prediction', async () => {
  engines({ wasm: () => Float32Array.of(NaN, 0, 1) });
  const classifier = await Classifier.load(goldenModel('float32'), 'mine', 'wasm', noImages);
  await expect(classifier.classify(grey())).rejects.toThrow(
    new PageError('The model gives scores that are NaN or infinite; export it again.'),
  );
});

test.each([
  ['int8', goldenModel('int8'), 'an input or output of int8'],
  ['int16', goldenModel('int16'), 'an input or output of int16'],
  [
    'too few labels',
    attach(goldenModel('unlabelled'), { 'labels.txt': 'cat\ndog\n' }),
    'mine.tflite has 2 labels for 3 classes; export the model again.',
  ],
])('a model with %s is refused before it is compiled', async (_, data, message) => {
  engines({});
  await expect(Classifier.load(data, 'mine.tflite', 'wasm', noImages)).rejects.toThrow(message);
  expect(Engine.load).not.toHaveBeenCalled();
});

const MODEL = repositoryFile('edge_runtime/models/cnn-int8.tflite');
const GOOD = Uint8Array.of(250, 0, 0, 0, 0, 0, 0, 0, 0, 6);
const ROUNDED = Uint8Array.of(244, 6, 0, 0, 0, 0, 0, 0, 0, 6);
const WRONG = Uint8Array.of(0, 0, 0, 250, 0, 0, 0, 0, 0, 6);

test('a GPU whose scores are those of the CPU but for rounding is used', async () => {
  const loaded = engines({ wasm: () => GOOD, webgpu: () => ROUNDED });
  const classifier = await Classifier.load(MODEL, 'cnn', 'webgpu', async () => [grey(), grey(7)]);
  expect(classifier.engine.accelerator).toBe('webgpu');
  const [gpu, cpu] = loaded;
  expect(cpu!.run).toHaveBeenCalledTimes(2);
  expect(gpu!.close).not.toHaveBeenCalled();
  expect(cpu!.close).toHaveBeenCalledOnce();
});

test('a GPU that computes something else is refused, and both engines are closed', async () => {
  const loaded = engines({ wasm: () => GOOD, webgpu: () => WRONG });
  await expect(
    Classifier.load(MODEL, 'cnn-int8', 'webgpu', async () => [grey()]),
  ).rejects.toThrow('The GPU in this browser computes cnn-int8 wrongly');
  loaded.forEach(({ close }) => expect(close).toHaveBeenCalledOnce());
});

test('on the CPU no images are read to compare', async () => {
  engines({ wasm: () => GOOD });
  const images = vi.fn(noImages);
  await Classifier.load(MODEL, 'cnn', 'wasm', images);
  expect(images).not.toHaveBeenCalled();
  expect(Engine.load).toHaveBeenCalledOnce();
});
