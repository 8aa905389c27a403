/** Opens the camera and reads its frames. */

import { PageError } from '../errors';
import { pixels, type DecodedImage } from './decode';

const REASONS: Record<string, string> = {
  NotAllowedError:
    'The browser denied access to the camera; allow it in the browser’s site settings and press ' +
    '“Use the camera” again.',
  NotFoundError: 'The browser finds no camera on this device; connect one, or choose images.',
  NotReadableError: 'Another program is using the camera; close that program and try again.',
};

/** An open camera whose frames play in a video element. */
export class Camera {
  private constructor(
    private readonly video: HTMLVideoElement,
    private readonly stream: MediaStream,
  ) {}

  /**
   * Opens the camera. If there are several, prefers the one that points away from the user.
   *
   * @param onLost called when the camera is disconnected or its permission is revoked.
   * @throws PageError access is denied, or the camera is missing or busy.
   */
  static async open(video: HTMLVideoElement, onLost: () => void): Promise<Camera> {
    if (!navigator.mediaDevices) {
      throw new PageError(
        'Browsers only open the camera for secure pages; ' +
          'open this page over https or on localhost.',
      );
    }
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: 'environment', width: { ideal: 640 }, height: { ideal: 480 } },
      });
    } catch (error) {
      const { name, message } = error as DOMException;
      const unknown = `The camera does not open (${message || name}); choose images instead.`;
      throw new PageError(REASONS[name] ?? unknown);
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

  /** Waits for the next frame. Frames that arrive between two calls are dropped. */
  async frame(): Promise<DecodedImage> {
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
