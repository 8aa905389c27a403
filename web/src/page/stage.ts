/** The stage, where the user sees one image or the camera. */

import type { Camera } from '../inputs/camera';
import type { PageState } from './state';
import * as tray from './tray';
import * as view from './view';

export class Stage {
  constructor(private readonly state: PageState) {}

  /**
   * Reads an item's image and shows it, unless the user has asked for something else meanwhile.
   *
   * @param request the number of this request.
   * @returns whether the image was shown.
   */
  async showItem(item: tray.TrayItem, request: number): Promise<boolean> {
    const image = await tray.open(item);
    if (!this.state.requests.isNewest(request)) return false;
    this.stopCamera();
    this.state.onStage = { image, item };
    this.showStill();
    return true;
  }

  showCamera(camera: Camera): void {
    this.state.openCamera(camera);
    tray.mark(undefined);
    view.showCamera(true);
  }

  /** Closes the camera, if one is open, and leaves its last frame on the stage. */
  stopCamera(): void {
    if (this.state.camera === undefined) return;
    this.state.closeCamera();
    view.showCamera(false);
    view.showSpeed(this.state.latencies, this.state.rate);
    if (this.state.onStage !== undefined) this.showStill();
  }

  /** The name of what is on the stage, for the user. */
  get name(): string {
    return this.state.onStage!.item?.name ?? 'The last frame';
  }

  private showStill(): void {
    tray.mark(this.state.onStage!.item);
    view.showStill(this.state.onStage!.image, this.name);
  }
}
