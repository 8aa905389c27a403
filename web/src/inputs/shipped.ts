/** Files that come with the page: the models and sample images of the Python package. */

import { shippedModel } from './model-file';

const MODELS = import.meta.glob<string>('../../../edge_runtime/models/*.tflite', {
  query: '?url',
  import: 'default',
  eager: true,
});
const SAMPLES = import.meta.glob<string>('../../../edge_runtime/samples/*.png', {
  query: '?url',
  import: 'default',
  eager: true,
});

export const DEFAULT_MODEL = 'cnn-int8';

/** One test image per class, named after its class. */
export const samples = Object.entries(SAMPLES).map(([path, url]) => ({ name: stem(path), url }));

/** The shipped models. */
export const shipped = Object.entries(MODELS).map(([path, url]) => shippedModel(stem(path), url));

/** URLs to keep for offline use: those of the default network now, the others when chosen. */
export const addresses = {
  atOnce: samples.map(({ url }) => url),
  whenChosen: [] as string[],
};
for (const { network, url } of shipped) {
  const isDefault = DEFAULT_MODEL.startsWith(`${network}-`);
  (isDefault ? addresses.atOnce : addresses.whenChosen).push(url);
}

function stem(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'));
}
