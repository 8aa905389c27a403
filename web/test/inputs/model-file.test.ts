import { afterEach, expect, test, vi } from 'vitest';
import { PageError } from '../../src/errors';
import { openedModel, shippedModel } from '../../src/inputs/model-file';
import { addresses, DEFAULT_MODEL, samples, shipped } from '../../src/inputs/shipped';

afterEach(() => vi.unstubAllGlobals());

test('a shipped model is named after its network and precision', async () => {
  const model = shippedModel('resnet18-int8', 'https://here/resnet18-int8.tflite');
  expect(model).toMatchObject({ network: 'resnet18', precision: 'int8' });
  const fetched = vi.fn(async () => new Response(Uint8Array.of(1, 2, 3)));
  vi.stubGlobal('fetch', fetched);
  expect([...(await model.read())]).toEqual([1, 2, 3]);
  expect(fetched).toHaveBeenCalledWith('https://here/resnet18-int8.tflite');
});

test.each([
  ['a status', async () => new Response('', { status: 404 }), 'status 404'],
  ['no connection', async () => Promise.reject(new TypeError('Failed to fetch')), 'Failed to fetch'],
])('a model that cannot be loaded because of %s gives a sentence', async (_, respond, reason) => {
  vi.stubGlobal('fetch', respond);
  await expect(shippedModel('cnn-int8', 'x').read()).rejects.toThrow(
    new PageError(
      `The model cnn-int8 could not be loaded (${reason}); check the connection and choose it again.`,
    ),
  );
});

test('an opened file is a network of its own', async () => {
  const model = openedModel(new File([Uint8Array.of(7)], 'mine.tflite'));
  expect(model).toMatchObject({ name: 'mine.tflite', network: 'mine.tflite', precision: 'own file' });
  expect([...(await model.read())]).toEqual([7]);
});

test('an opened file that has gone gives a sentence', async () => {
  const file = new File([], 'mine.tflite');
  file.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotFoundError'));
  await expect(openedModel(file).read()).rejects.toThrow(
    new PageError('mine.tflite cannot be read any more; choose the file again.'),
  );
});

test('the page ships the models and samples of the Python package', () => {
  expect(shipped.map(({ name }) => name)).toContain(DEFAULT_MODEL);
  expect(samples).toHaveLength(10);
  expect(samples.map(({ name }) => name)).toContain('ship');
});

test('only the default network is kept for offline use before it is chosen', () => {
  const urls = (network: string) => shipped.filter((m) => m.network === network).map((m) => m.url);
  expect(addresses.atOnce).toEqual([...samples.map(({ url }) => url), ...urls('cnn')]);
  expect(addresses.whenChosen).toEqual(urls('resnet18'));
  expect(addresses.whenChosen).not.toEqual([]);
});
