/** Shows the parts of the page, one function per part. Nothing here decides anything. */

import type { Classifier, Prediction, Result } from '../inference/classifier';
import type { Accelerator } from '../inference/engine';
import type { DecodedImage } from '../inputs/decode';
import type { ModelFile } from '../inputs/model-file';
import { element } from './dom';
import { drawPixels, drawSquare } from './draw';
import { frameRate, milliseconds, modelFacts, networkTitle, percent, verdict } from './format';
import type { Latencies, Rate } from './latency';

/** Lets a screen reader say something as soon as it is quiet. */
export function speak(message: string): void {
  element('spoken').textContent = message;
}

/** Draws the part of an image that the network sees, at up to 960 pixels. */
export function showStill(image: DecodedImage, name: string): void {
  const canvas = element<HTMLCanvasElement>('still');
  const side = Math.min(image.width, image.height);
  canvas.width = canvas.height = Math.min(side, 960);
  canvas.classList.toggle('pixels', side < 128);
  canvas.setAttribute('aria-label', name);
  drawSquare(canvas, image);
}

/** Shows the camera on the stage instead of an image, or the other way round. */
export function showCamera(on: boolean): void {
  element('live').hidden = !on;
  element('still').hidden = on;
  element('camera').textContent = on ? 'Stop camera' : 'Use the camera';
}

/** Returns how many classes the user wants to see; 0 is all of them. */
export function topK(): number {
  return Number(element<HTMLSelectElement>('top-k').value);
}

/** Returns whether the user wants the best class to count whatever its score. */
export function acceptsAll(): boolean {
  return element<HTMLInputElement>('accept-all').checked;
}

export function showResult(
  result: Result,
  graphShape: number[],
  topK: number,
  acceptAll: boolean,
): void {
  const { label, score } = verdict(result, acceptAll);
  element('best').classList.toggle('rejected', !(result.accepted || acceptAll));
  element('best').querySelector('.label')!.textContent = label;
  element('best').querySelector('.score')!.textContent = score;
  showBars(result.predictions.slice(0, topK || undefined));
  showSeen(result.seen, graphShape);
}

/** Says that the first model could not be loaded, so that there is no result to wait for. */
export function showNoResult(): void {
  element('best').querySelector('.label')!.textContent = 'No result';
}

function showBars(predictions: Prediction[]): void {
  const list = element('bars');
  while (list.children.length > predictions.length) list.lastChild!.remove();
  while (list.children.length < predictions.length) {
    const item = document.createElement('li');
    const spans = ['label', 'bar', 'score'].map((part) => `<span class="${part}"></span>`);
    item.innerHTML = spans.join('');
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
  canvas.setAttribute('aria-label', `The ${width} × ${height} pixels that the network sees`);
  drawPixels(canvas, rgb, width, height);
}

/** Shows whether the page waits for a model. */
export function setBusy(busy: boolean): void {
  element('result').setAttribute('aria-busy', String(busy));
}

export function showSpeed(latencies: Latencies, rate: Rate | undefined): void {
  element('p50').textContent = milliseconds(latencies.percentile(50));
  element('p95').textContent = milliseconds(latencies.percentile(95));
  element('rate').textContent = rate ? frameRate(rate.perSecond) : 'off';
  const runs = latencies.count === 1 ? '1 run' : `${latencies.count.toLocaleString('en')} runs`;
  element('runs').textContent = `Time from pixels to scores, one image at a time; ${runs}.`;
}

/** Lets a screen reader say the times on the page. */
export function speakSpeed(): void {
  speak(element('speed').querySelector('dl')!.innerText);
}

/** Shows what a model's file says about itself and what runs it, and a switch for its threshold. */
export function showFacts(name: string, { bytes, graph, metadata, engine }: Classifier): void {
  element('accept').hidden = metadata.threshold === undefined;
  const facts = modelFacts(name, bytes, graph, metadata, engine.description);
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

/** Shows the networks to choose from, and the precisions of the chosen network. */
export function showModels(models: ModelFile[], chosen: ModelFile): void {
  const options = (names: string[]) =>
    [...new Set(names)].map((name) => ({ value: name, text: networkTitle(name) }));
  const siblings = models.filter(({ network }) => network === chosen.network);
  showOptions('network', options(models.map(({ network }) => network)), chosen.network);
  showOptions('precision', options(siblings.map(({ precision }) => precision)), chosen.precision);
}

/** @param noGpu why the GPU cannot be chosen; undefined if it can. */
export function showAccelerators(chosen: Accelerator, noGpu: string | undefined): void {
  const options = [
    { value: 'wasm', text: 'CPU' },
    { value: 'webgpu', text: 'GPU', disabled: noGpu !== undefined },
  ];
  showOptions('accelerator', options, chosen);
  const hint = element('no-gpu');
  hint.hidden = noGpu === undefined;
  hint.textContent = `No GPU: ${noGpu}.`;
}

interface RadioOption {
  value: string;
  text: string;
  disabled?: boolean;
}

/** Fills a fieldset with radio buttons, and keeps the focus in it. */
function showOptions(id: string, options: RadioOption[], chosen: string): void {
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

export function showOffline(sentence: string): void {
  element('offline').textContent = sentence;
}
