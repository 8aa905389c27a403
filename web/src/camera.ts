/** The camera: opening it, its frames, and why it may not open. */

import { PageError } from './errors';
import { pixels, type Picture } from './image';

const REASONS: Record<string, string> = {
  NotAllowedError:
    'The camera was refused; allow it for this page in the browser’s site settings and press ' +
    '“Use the camera” again. Pictures work without it.',
  NotFoundError: 'This device has no camera that the browser can find; pictures work without one.',
  NotReadableError: 'The camera is in use by another program; close that and try again.',
};

/** An open camera that plays in a video element. */
export class Camera {
  private constructor(
    private readonly video: HTMLVideoElement,
    private readonly stream: MediaStream,
  ) {}

  /**
   * Opens the camera that points away from the user, where there is a choice.
   *
   * @param onLost called when the camera vanishes or is revoked.
   * @throws PageError it is refused, missing or busy.
   */
  static async open(video: HTMLVideoElement, onLost: () => void): Promise<Camera> {
    if (!navigator.mediaDevices) {
      throw new PageError(
        'Browsers give the camera to secure pages only; open this page by https or on localhost.',
      );
    }
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: 'environment', width: { ideal: 640 }, height: { ideal: 480 } },
      });
    } catch (error) {
      const { name, message } = error as DOMException;
      throw new PageError(REASONS[name] ?? `The camera does not open (${message || name}).`);
    }
    stream.getVideoTracks()[0]!.addEventListener('ended', onLost);
    video.srcObject = stream;
    try {
      await video.play();
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      throw error;
    }
    return new Camera(video, stream);
  }

  /** Waits for the next frame; frames that came meanwhile are passed over. */
  async frame(): Promise<Picture> {
    const { video } = this;
    await new Promise<unknown>((resolve) =>
      'requestVideoFrameCallback' in video
        ? video.requestVideoFrameCallback(resolve)
        : requestAnimationFrame(resolve),
    );
    return pixels(video, video.videoWidth, video.videoHeight);
  }

  close(): void {
    this.stream.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}
