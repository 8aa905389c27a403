/** The page: what the user does, and what happens then. */

import './style.css';
import { Camera } from './camera';
import { Classifier, type Answer } from './classifier';
import { loadRuntime, whyNoWebGpu, type Accelerator } from './engine';
import { PageError, sentence } from './errors';
import type { Picture } from './image';
import { Latencies, Rate } from './latency';
import { DEFAULT_MODEL, opened, samples, shipped, type ModelFile } from './models';
import { keepForOffline } from './offline';
import * as tray from './tray';
import * as view from './view';

const REPEATS_AFTER_A_PICTURE = { runs: 50, ms: 400 };
const REPEATS_ON_DEMAND = { runs: 1000, ms: 5000 };

const models: ModelFile[] = [...shipped];
const first = models.find(({ name }) => name === DEFAULT_MODEL) ?? models[0]!;
let chosen: { model: ModelFile; accelerator: Accelerator } = { model: first, accelerator: 'wasm' };
let classifier: Classifier | undefined;
let latencies = new Latencies();
let camera: Camera | undefined;
let rate: Rate | undefined;
// What is to be seen: a picture of the tray, or a frame of the camera.
let onStage: { picture: Picture; item?: tray.Item } | undefined;
let answered: Answer | undefined;
// How often the user has asked to see something: a picture that took long to read must not
// displace what was asked for later.
let wish = 0;
const items: tray.Item[] = [];

/** Returns what does one thing after the other. */
function queue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

// A graph runs one picture at a time, and must not be replaced while it runs.
const inTurn = queue();
// Models take effect in the order of the choices, however long one is on its way.
const inOrder = queue();

/** Runs what the user asked for, and says what went wrong. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof PageError)) console.error(error);
    view.showAlert(sentence(error));
  }
}

// The model

async function use(model: ModelFile, accelerator: Accelerator): Promise<void> {
  const reading = model.read();
  reading.catch(() => undefined); // told when it is its turn
  view.element('answer').setAttribute('aria-busy', 'true');
  try {
    await inOrder(async () => {
      const data = await reading; // meanwhile the model before goes on answering
      await inTurn(async () => {
        const next = await Classifier.load(data, model.name, accelerator, firstSamples);
        classifier?.close();
        classifier = next;
      });
    });
    chosen = { model, accelerator: classifier!.engine.accelerator };
    latencies = new Latencies();
    tray.forgetCaptions(items);
    view.showFacts(model.name, classifier!);
    if (chosen.accelerator !== accelerator) {
      view.showAlert('LiteRT cannot run this model on the GPU in this browser; the CPU runs it.');
    }
  } finally {
    view.element('answer').setAttribute('aria-busy', 'false');
    showChoice();
  }
  if (onStage !== undefined && camera === undefined) await answerStill();
}

function firstSamples(): Promise<Picture[]> {
  return Promise.all(items.slice(0, 3).map((item) => tray.open(item)));
}

function showChoice(): void {
  const options = (names: string[]) =>
    [...new Set(names)].map((name) => ({ value: name, text: title(name) }));
  const { network, precision } = chosen.model;
  const siblings = models.filter((model) => model.network === network);
  view.showOptions('network', options(models.map((model) => model.network)), network);
  view.showOptions('precision', options(siblings.map((model) => model.precision)), precision);
  const reason = whyNoWebGpu();
  view.showOptions(
    'accelerator',
    [
      { value: 'wasm', text: 'CPU' },
      { value: 'webgpu', text: 'GPU', disabled: reason !== undefined },
    ],
    chosen.accelerator,
  );
  const hint = view.element('no-gpu');
  hint.hidden = reason === undefined;
  hint.textContent = `No GPU: ${reason}.`;
}

function title(name: string): string {
  return { cnn: 'CNN', resnet18: 'ResNet18' }[name] ?? name;
}

view.element('model').addEventListener('change', (event) => {
  const wanted = new FormData((event.target as HTMLInputElement).form!);
  const ofNetwork = models.filter((model) => model.network === wanted.get('network'));
  const model =
    ofNetwork.find((model) => model.precision === wanted.get('precision')) ?? ofNetwork[0]!;
  view.showAlert('');
  void attempt(async () => {
    await use(model, wanted.get('accelerator') as Accelerator);
    await settle();
  });
});

// Pictures

async function classify(picture: Picture, item?: tray.Item): Promise<Answer> {
  const answer = await inTurn(() => classifier!.classify(picture));
  latencies.add(answer.runMs);
  if (item !== undefined) tray.caption(item, answer.predictions[0]!.label);
  return answer;
}

/** Answers what is on the stage; returns nothing where that has changed meanwhile. */
async function answer(): Promise<Answer | undefined> {
  const { picture, item } = onStage!;
  const result = await classify(picture, item);
  if (onStage!.picture !== picture) return undefined;
  answered = result;
  show(result);
  return result;
}

function show(result: Answer): void {
  const topK = Number(view.element<HTMLSelectElement>('top-k').value);
  view.showAnswer(result, classifier!.graph.input.shape, topK);
  view.showSpeed(latencies, rate);
}

async function answerStill(): Promise<void> {
  const result = await answer();
  if (result === undefined) return;
  const { label, score } = result.predictions[0]!;
  view.speak(`${nameOnStage()}: ${label}, ${view.percent(score)}`);
  await repeat(result, REPEATS_AFTER_A_PICTURE);
}

async function showItem(item: tray.Item, mine = ++wish): Promise<void> {
  const picture = await tray.open(item);
  if (mine !== wish) return;
  stopCamera();
  onStage = { picture, item };
  showStage();
  if (classifier === undefined) await ready(); // and what is on the stage is answered
  else await answerStill();
}

function showStage(): void {
  tray.mark(onStage!.item);
  view.showStill(onStage!.picture, nameOnStage());
}

function nameOnStage(): string {
  return onStage!.item?.name ?? 'The last frame';
}

function choose(item: tray.Item): void {
  view.showAlert('');
  void attempt(() => showItem(item));
}

async function bringModel(file: File): Promise<void> {
  const model = opened(file);
  await use(model, chosen.accelerator);
  const former = models.findIndex(({ name, precision }) =>
    name === model.name && precision === model.precision);
  if (former >= 0) models.splice(former, 1);
  models.push(model);
  showChoice();
}

async function bringPicture(file: File): Promise<tray.Item> {
  const item = tray.addItem(file.name, async () => file, choose, { first: true });
  try {
    await classify(await tray.open(item), item);
    items.push(item);
    return item;
  } catch (error) {
    tray.remove(item);
    throw error;
  }
}

async function bring(files: File[]): Promise<void> {
  const before = wish;
  await ready();
  const failures: string[] = [];
  let shown: tray.Item | undefined;
  for (const file of files) {
    try {
      if (file.name.toLowerCase().endsWith('.tflite')) await bringModel(file);
      else shown = await bringPicture(file);
    } catch (error) {
      failures.push(sentence(error));
    }
  }
  if (shown !== undefined && wish === before) await showItem(shown);
  if (failures.length > 0) throw new PageError(failures.join(' '));
}

function accept(files: FileList | undefined, else_: string): void {
  view.showAlert('');
  void attempt(async () => {
    if (!files?.length) throw new PageError(else_);
    await bring([...files]);
  });
}

const files = view.element<HTMLInputElement>('files');
view.element('choose').addEventListener('click', () => files.click());
files.addEventListener('change', () => {
  accept(files.files ?? undefined, 'No file was chosen.');
  files.value = ''; // so that the same file may be chosen again
});

document.addEventListener('paste', (event) =>
  accept(event.clipboardData?.files, 'There is no picture in the clipboard; copy one first.'),
);
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('dropping');
});
document.addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) document.body.classList.remove('dropping');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  accept(event.dataTransfer?.files, 'That is no file; save the picture and drop its file.');
});

view.element('top-k').addEventListener('change', () => answered && classifier && show(answered));
view.element('alert').querySelector('button')!.addEventListener('click', () => view.showAlert(''));

// Speed

async function repeat(result: Answer, limit: { runs: number; ms: number }): Promise<void> {
  const until = performance.now() + limit.ms;
  const current = classifier!;
  let pause = 0;
  for (let run = 0; run < limit.runs && performance.now() < until; run++) {
    await inTurn(async () => {
      const newer = answered !== result || classifier !== current;
      if (newer) limit = { runs: 0, ms: 0 };
      else latencies.add((await current.time(result.seen)).runMs);
    });
    if (performance.now() > pause) {
      await new Promise((resolve) => setTimeout(resolve)); // let the page react
      pause = performance.now() + 100;
    }
  }
  view.showSpeed(latencies, rate);
}

view.element('measure').addEventListener('click', (event) => {
  if (answered === undefined) return;
  const result = answered;
  const button = event.target as HTMLButtonElement;
  button.disabled = true;
  latencies = new Latencies();
  void attempt(() => repeat(result, REPEATS_ON_DEMAND)).finally(() => {
    button.disabled = false;
    if (document.activeElement === document.body) button.focus(); // disabled, it lost it
    view.speak(view.element('speed').querySelector('dl')!.innerText);
  });
});

// The camera

async function startCamera(): Promise<void> {
  const mine = ++wish;
  await ready();
  if (mine !== wish) return;
  const video = view.element<HTMLVideoElement>('live');
  const opened = await Camera.open(video, () => {
    stopCamera();
    view.showAlert('The camera has gone; plug it in or allow it, and start it again.');
  });
  if (mine !== wish) {
    opened.close();
    return;
  }
  camera = opened;
  rate = new Rate();
  tray.mark(undefined);
  showCamera(true);
}

/** Answers frame after frame, as long as this camera is open. */
async function follow(current: Camera): Promise<void> {
  let said = { label: '', at: 0 };
  try {
    while (camera === current) {
      const frame = await current.frame();
      if (camera !== current) break;
      onStage = { picture: frame };
      const result = await answer();
      if (result === undefined) break;
      rate?.tick();
      const { label } = result.predictions[0]!;
      if (label !== said.label && performance.now() > said.at + 1500) {
        said = { label, at: performance.now() };
        view.speak(label);
      }
    }
  } catch (error) {
    if (camera === current) stopCamera();
    throw error;
  }
}

function stopCamera(): void {
  if (camera === undefined) return;
  camera.close();
  camera = rate = undefined;
  showCamera(false);
  view.showSpeed(latencies, rate);
  if (onStage !== undefined) showStage();
}

function showCamera(on: boolean): void {
  view.element('live').hidden = !on;
  view.element('still').hidden = on;
  view.element('camera').textContent = on ? 'Stop camera' : 'Use the camera';
}

view.element('camera').addEventListener('click', (event) => {
  view.showAlert('');
  if (camera !== undefined) {
    stopCamera();
    return;
  }
  const button = event.target as HTMLButtonElement;
  button.disabled = true; // one camera is enough
  void attempt(async () => {
    await startCamera().finally(() => (button.disabled = false));
    if (camera !== undefined) await follow(camera);
  });
});

// The start

for (const { name, url } of samples) {
  const read = async () => (await fetch(url)).blob();
  items.push(tray.addItem(`Sample: ${name}`, read, choose, { url }));
}

/** Once there is a model: answers a sample until the user asks for more, and stays for later. */
async function settle(): Promise<void> {
  const sample = items.find(({ name }) => name === 'Sample: ship') ?? items[0];
  if (wish === 0 && onStage === undefined && sample !== undefined) await showItem(sample, 0);
  view.element('offline').textContent = await keepForOffline();
}

let starting: Promise<void> | undefined;

/** Waits for the first model, and asks for it again where it did not come. */
async function ready(): Promise<void> {
  if (classifier !== undefined) return;
  starting ??= start().finally(() => (starting = undefined));
  await starting;
}

async function start(): Promise<void> {
  void loadRuntime().catch(() => undefined); // while the model is on its way; `use` tells of it
  await use(chosen.model, chosen.accelerator);
  void attempt(settle);
}

void attempt(async () => {
  try {
    await ready();
  } catch (error) {
    view.element('best').querySelector('.label')!.textContent = 'No answer';
    throw error;
  }
});
