/** The state of the page. This file knows no DOM; the other files of this folder show the state. */

import type { Classifier, Result } from '../inference/classifier';
import type { Accelerator } from '../inference/engine';
import type { Camera } from '../inputs/camera';
import type { DecodedImage } from '../inputs/decode';
import type { ModelFile } from '../inputs/model-file';
import { Latencies, Rate } from './latency';
import type { TrayItem } from './tray';

/**
 * Numbers what the user asks to see.
 *
 * An image that takes long to read must not replace what the user asked for later. So each request
 * takes a number first, and checks before it shows anything whether the number is still the newest.
 */
export class Requests {
  /** The number of the newest request; 0 if the user has asked for nothing yet. */
  newest = 0;

  begin(): number {
    return ++this.newest;
  }

  isNewest(request: number): boolean {
    return request === this.newest;
  }
}

/** What the user looks at: an image of the tray, or a camera frame if there is no item. */
export interface OnStage {
  image: DecodedImage;
  item?: TrayItem;
}

export class PageState {
  readonly models: ModelFile[];
  chosen: { model: ModelFile; accelerator: Accelerator };
  classifier: Classifier | undefined; // undefined until the first model is loaded
  camera: Camera | undefined; // undefined if no camera is open
  rate: Rate | undefined; // of the open camera
  onStage: OnStage | undefined;
  result: Result | undefined; // the result on the page
  latencies = new Latencies(); // of the classifier
  readonly items: TrayItem[] = [];
  readonly requests = new Requests();

  /** @param first the name of the model to choose; if there is none, the first model is chosen. */
  constructor(models: readonly ModelFile[], first: string) {
    this.models = [...models];
    const model = this.models.find(({ name }) => name === first) ?? this.models[0]!;
    this.chosen = { model, accelerator: 'wasm' };
  }

  /** Offers a model instead of the one with the same name and precision, if there is one. */
  addModel(model: ModelFile): void {
    const same = this.models.findIndex(
      ({ name, precision }) => name === model.name && precision === model.precision,
    );
    if (same >= 0) this.models.splice(same, 1);
    this.models.push(model);
  }

  /** Returns the model of a network and precision; if there is none, another one of the network. */
  findModel(network: string, precision: string): ModelFile {
    const models = this.models.filter((model) => model.network === network);
    return models.find((model) => model.precision === precision) ?? models[0]!;
  }

  /** Closes the current classifier and takes the next one. */
  replaceClassifier(next: Classifier): void {
    this.classifier?.close();
    this.classifier = next;
  }

  /** Keeps a result if its image is still on the stage, and returns whether it is. */
  acceptResult(image: DecodedImage, result: Result): boolean {
    if (this.onStage?.image !== image) return false;
    this.result = result;
    return true;
  }

  openCamera(camera: Camera): void {
    this.camera = camera;
    this.rate = new Rate();
  }

  closeCamera(): void {
    this.camera?.close();
    this.camera = this.rate = undefined;
  }
}
