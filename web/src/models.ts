/** The files that come with the page: the Python package's models and sample pictures. */

import { PageError } from './errors';

const MODELS = import.meta.glob<string>('../../edge_runtime/models/*.tflite', {
  query: '?url',
  import: 'default',
  eager: true,
});
const SAMPLES = import.meta.glob<string>('../../edge_runtime/samples/*.png', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** A .tflite file to choose: `<network>-<precision>.tflite`. */
export interface ModelFile {
  name: string;
  network: string;
  precision: string;
  read(): Promise<Uint8Array>;
}

export const DEFAULT_MODEL = 'cnn-int8';

/** Addresses of everything that the page may come to need, for offline use. */
export const addresses = [...Object.values(MODELS), ...Object.values(SAMPLES)];

/** One test image a class, by the name of its class. */
export const samples = Object.entries(SAMPLES).map(([path, url]) => ({ name: stem(path), url }));

/** The shipped models, by name. */
export const shipped: ModelFile[] = Object.entries(MODELS).map(([path, url]) => {
  const name = stem(path);
  const cut = name.indexOf('-');
  return {
    name,
    network: name.slice(0, cut),
    precision: name.slice(cut + 1),
    read: () => download(url, name),
  };
});

/** A model that the user opened. */
export function opened(file: File): ModelFile {
  return {
    name: file.name,
    network: file.name,
    precision: 'own file',
    read: async () => new Uint8Array(await file.arrayBuffer()),
  };
}

async function download(url: string, name: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new PageError(
      `The model ${name} could not be loaded (${(error as Error).message}); ` +
        `check the connection and choose it again.`,
    );
  }
}

function stem(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'));
}
