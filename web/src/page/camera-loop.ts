/** Starts and stops the camera, and classifies its frames. */

import { Camera } from '../inputs/camera';
import { showAlert } from './alert';
import { element } from './dom';
import type { Runner } from './runner';
import type { Stage } from './stage';
import type { Startup } from './startup';
import type { PageState } from './state';
import * as view from './view';

const MS_BETWEEN_SPOKEN_LABELS = 1500;

export class CameraLoop {
  constructor(
    private readonly state: PageState,
    private readonly stage: Stage,
    private readonly runner: Runner,
    private readonly startup: Startup,
  ) {}

  /** Opens the camera, unless the user asks for something else before it is open. */
  async start(): Promise<void> {
    const request = this.state.requests.begin();
    await this.startup.ready();
    if (!this.state.requests.isNewest(request)) return;
    const camera = await Camera.open(element<HTMLVideoElement>('live'), () => {
      this.stage.stopCamera();
      showAlert('The camera was disconnected or its permission revoked; start the camera again.');
    });
    if (!this.state.requests.isNewest(request)) {
      camera.close();
      return;
    }
    this.stage.showCamera(camera);
  }

  /** Classifies the newest frame again and again, as long as the camera is open. */
  async follow(): Promise<void> {
    const { state } = this;
    const { camera } = state;
    let spoken = { label: '', at: 0 };
    try {
      while (camera !== undefined && state.camera === camera) {
        const image = await camera.frame();
        if (state.camera !== camera) break;
        state.onStage = { image };
        const result = await this.runner.classifyStage();
        if (result === undefined) break;
        state.rate?.tick();
        const { label } = this.runner.verdict(result);
        if (label !== spoken.label && performance.now() > spoken.at + MS_BETWEEN_SPOKEN_LABELS) {
          spoken = { label, at: performance.now() };
          view.speak(label);
        }
      }
    } catch (error) {
      if (state.camera === camera) this.stage.stopCamera();
      throw error;
    }
  }
}
