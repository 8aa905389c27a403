/** What the page shows: one function for each part, none of which decides anything. */

import type { Answer, Classifier, Prediction } from './classifier';
import type { Picture } from './image';
import type { Latencies, Rate } from './latency';
import type { Normalization } from './quantization';

export function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Shows an error until it is dismissed, or hides the last one. */
export function showAlert(message: string): void {
  const alert = element('alert');
  alert.querySelector('p')!.textContent = message;
  alert.hidden = message === '';
}

/** Has a screen reader say something once it is quiet. */
export function speak(message: string): void {
  element('spoken').textContent = message;
}

/** Draws the part of a picture that the network is given, at up to 960 pixels. */
export function showStill(picture: Picture | ImageBitmap, name: string): void {
  const canvas = element<HTMLCanvasElement>('still');
  const side = Math.min(picture.width, picture.height);
  canvas.width = canvas.height = Math.min(side, 960);
  canvas.classList.toggle('pixels', side < 128);
  canvas.setAttribute('aria-label', name);
  drawSquare(canvas, picture);
}

/** Fills a square canvas with the centre of a picture. */
export function drawSquare(canvas: HTMLCanvasElement, picture: Picture | ImageBitmap): void {
  const { width, height } = picture;
  const side = Math.min(width, height);
  const source = picture instanceof ImageData ? sheet(picture) : picture;
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(
    source,
    (width - side) / 2,
    (height - side) / 2,
    side,
    side,
    0,
    0,
    canvas.width,
    canvas.height,
  );
}

function sheet(picture: Picture): OffscreenCanvas {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext('2d')!.putImageData(picture, 0, 0);
  return canvas;
}

export function showAnswer(answer: Answer, graphShape: number[], topK: number): void {
  const best = answer.predictions[0]!;
  element('best').querySelector('.label')!.textContent = best.label;
  element('best').querySelector('.score')!.textContent = percent(best.score);
  showBars(answer.predictions.slice(0, topK || undefined));
  showSeen(answer.seen, graphShape);
}

function showBars(predictions: Prediction[]): void {
  const list = element('bars');
  while (list.children.length > predictions.length) list.lastChild!.remove();
  while (list.children.length < predictions.length) {
    const item = document.createElement('li');
    item.innerHTML = '<span class="label"></span><span class="bar"></span><span class="score"></span>';
    list.append(item);
  }
  predictions.forEach(({ label, score }, i) => {
    const item = list.children[i] as HTMLElement;
    item.querySelector('.label')!.textContent = label;
    item.querySelector('.score')!.textContent = percent(score);
    item.title = `${label} ${score}`;
    item.style.setProperty('--share', String(Math.min(1, Math.max(0, score))));
  });
}

function showSeen(rgb: Uint8Array, [, height = 1, width = 1]: number[]): void {
  const canvas = element<HTMLCanvasElement>('seen');
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
  canvas.setAttribute('aria-label', `The ${width} × ${height} pixels that the network sees`);
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; to++) {
    image.data[to] = to % 4 === 3 ? 255 : rgb[from++]!;
  }
  image.data[image.data.length - 1] = 255;
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}

export function showSpeed(latencies: Latencies, rate: Rate | undefined): void {
  element('p50').textContent = ms(latencies.percentile(50));
  element('p95').textContent = ms(latencies.percentile(95));
  element('rate').textContent = rate ? `${finite(rate.perSecond, 1)} frames/s` : 'off';
  const runs = latencies.count === 1 ? '1 run' : `${latencies.count.toLocaleString('en')} runs`;
  element('runs').textContent = `Time from pixels to scores, one picture at a time; ${runs}.`;
}

/** Tells what the file says of itself, and what runs it. */
export function showFacts(name: string, { bytes, graph, metadata, engine }: Classifier): void {
  const raw = graph.input.dtype === 'uint8';
  const facts: Record<string, string> = {
    'Really runs on': engine.description,
    File: `${name}, ${bytes.toLocaleString('en')} bytes`,
    Input: `${graph.input.shape.slice(1).join(' × ')}, ${graph.input.dtype}`,
    Pixels: metadata.normalization
      ? `${formula(metadata.normalization)}${raw ? ', quantized' : ''}; from the file’s ${metadata.source}`
      : `${raw ? 'their bytes' : 'pixel / 255'}; assumed, the file does not say`,
    Labels: some(metadata.labels),
    ...(graph.givesLogits && { Scores: 'softmax of the outputs; assumed, the graph has none' }),
  };
  element('facts').replaceChildren(
    ...Object.entries(facts).map(([term, text]) => {
      const row = document.createElement('div');
      row.append(document.createElement('dt'), document.createElement('dd'));
      row.firstElementChild!.textContent = term;
      row.lastElementChild!.textContent = text;
      return row;
    }),
  );
}

function some(labels: string[], most = 20): string {
  const more = labels.length - most;
  return labels.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function formula({ mean, std }: Normalization): string {
  const short = (values: readonly number[]) =>
    values.every((value) => value === values[0]) ? String(values[0]) : `(${values.join(', ')})`;
  return mean.every((value) => value === 0)
    ? `pixel / ${short(std)}`
    : `(pixel − ${short(mean)}) / ${short(std)}`;
}

export interface Option {
  value: string;
  text: string;
  disabled?: boolean;
}

/** Fills a fieldset with radio buttons. */
export function showOptions(id: string, options: Option[], chosen: string): void {
  const fieldset = element(id);
  const focused = fieldset.contains(document.activeElement);
  fieldset.querySelectorAll('label').forEach((label) => label.remove());
  for (const { value, text, disabled = false } of options) {
    const label = document.createElement('label');
    const input = document.createElement('input');
    Object.assign(input, { type: 'radio', name: id, value, disabled, checked: value === chosen });
    const span = document.createElement('span');
    span.textContent = text;
    label.append(input, span);
    fieldset.append(label);
  }
  if (focused) fieldset.querySelector<HTMLInputElement>('input:checked')?.focus();
}

export function percent(score: number): string {
  return `${(100 * score).toFixed(1)} %`;
}

function ms(value: number): string {
  // Without cross-origin isolation browsers round their clock to 0.1 ms.
  return `${finite(value, crossOriginIsolated ? 2 : 1)} ms`;
}

function finite(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}
