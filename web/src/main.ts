/** Wires the page: connects what the user does to what then happens. */

import './style.css';
import type { Accelerator } from './inference/engine';
import { DEFAULT_MODEL, samples, shipped } from './inputs/shipped';
import { attempt, showAlert } from './page/alert';
import { CameraLoop } from './page/camera-loop';
import { element } from './page/dom';
import { Input } from './page/input';
import { ModelChoice } from './page/model-choice';
import { Runner } from './page/runner';
import { Stage } from './page/stage';
import { Startup } from './page/startup';
import { PageState } from './page/state';
import * as view from './page/view';

const state = new PageState(shipped, DEFAULT_MODEL);
const stage = new Stage(state);
const runner = new Runner(state, stage);
const models = new ModelChoice(state, runner);
const startup = new Startup(state, stage, runner, models);
const input = new Input(state, stage, runner, models, startup);
const camera = new CameraLoop(state, stage, runner, startup);

// Images and models that the user brings

const files = element<HTMLInputElement>('files');
element('choose').addEventListener('click', () => files.click());
files.addEventListener('change', () => {
  input.accept(files.files ?? undefined, 'No file was chosen; choose an image or a model.');
  files.value = ''; // otherwise the same file could not be chosen again
});

document.addEventListener('paste', (event) =>
  input.accept(event.clipboardData?.files, 'The clipboard holds no image; copy one first.'),
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
  input.accept(event.dataTransfer?.files, 'This is not a file; save the image and drop its file.');
});

// The camera

element('camera').addEventListener('click', (event) => {
  showAlert('');
  if (state.camera !== undefined) {
    stage.stopCamera();
    return;
  }
  const button = event.target as HTMLButtonElement;
  button.disabled = true; // a second click must not open a second camera
  void attempt(async () => {
    await camera.start().finally(() => (button.disabled = false));
    await camera.follow();
  });
});

// The model

element('model').addEventListener('change', (event) => {
  const form = new FormData((event.target as HTMLInputElement).form!);
  const value = (name: string) => String(form.get(name));
  const model = state.findModel(value('network'), value('precision'));
  showAlert('');
  void attempt(async () => {
    await models.use(model, value('accelerator') as Accelerator);
    await startup.settle();
  });
});

// The result and its times

element('top-k').addEventListener('change', () => runner.showResult());
element('accept-all').addEventListener('change', () => runner.judgeAgain());
element('alert').querySelector('button')!.addEventListener('click', () => showAlert(''));
element('measure').addEventListener('click', (event) => {
  const { result } = state;
  if (result === undefined) return;
  const button = event.target as HTMLButtonElement;
  button.disabled = true;
  void attempt(() => runner.measure(result)).finally(() => {
    button.disabled = false;
    if (document.activeElement === document.body) button.focus(); // disabling took the focus away
    view.speakSpeed();
  });
});

// The start

input.addSamples(samples);
void attempt(async () => {
  try {
    await startup.ready();
  } catch (error) {
    view.showNoResult();
    throw error;
  }
});
