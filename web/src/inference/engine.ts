/**
 * Runs a .tflite graph. No other file imports @litertjs/core.
 *
 * LiteRT.js comes in builds for different browsers, and the page loads one of them once. The build
 * for JSPI (JavaScript Promise Integration) is as fast as the plain build, and only its WebGPU
 * takes uint8 inputs. The threaded build gains nothing on networks this small. It also needs a
 * cross-origin isolated page, which a plain static host does not serve.
 */

import {
  getGlobalLiteRtPromise,
  getWebGpuDevice,
  loadAndCompile,
  loadLiteRt,
  supportsFeature,
  Tensor,
  type CompiledModel,
  type TypedArray,
} from '@litertjs/core';
import compatJs from '@litertjs/core/wasm/litert_wasm_compat_internal.js?url';
import compatWasm from '@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url';
import plainJs from '@litertjs/core/wasm/litert_wasm_internal.js?url';
import plainWasm from '@litertjs/core/wasm/litert_wasm_internal.wasm?url';
import jspiJs from '@litertjs/core/wasm/litert_wasm_jspi_internal.js?url';
import jspiWasm from '@litertjs/core/wasm/litert_wasm_jspi_internal.wasm?url';
import { PageError, reason } from '../errors';

export type Accelerator = 'wasm' | 'webgpu';

let runtime: Promise<unknown> | undefined;

/** Loads LiteRT.js once; later calls wait for the first call. */
export function loadRuntime(): Promise<unknown> {
  runtime ??= start();
  return runtime;
}

async function start(): Promise<void> {
  const simd = await supportsFeature('relaxedSimd');
  const [script, wasm] = !simd
    ? [compatJs, compatWasm]
    : (await supportsFeature('jspi'))
      ? [jspiJs, jspiWasm]
      : [plainJs, plainWasm];
  const absolute = (url: string) => new URL(url, document.baseURI).href;
  // The script requests the WebAssembly late, so fetch it while the script loads.
  const preload = document.createElement('link');
  Object.assign(preload, { rel: 'preload', as: 'fetch', crossOrigin: 'anonymous', href: wasm });
  document.head.append(preload);
  // LiteRT.js passes this object to Emscripten, which otherwise logs every step as an error.
  Object.assign(globalThis, {
    Module: {
      locateFile: () => absolute(wasm),
      print: console.debug,
      printErr: console.debug,
    },
  });
  try {
    await loadLiteRt(absolute(script));
  } catch (error) {
    runtime = undefined;
    throw new PageError(
      `LiteRT did not start (${error instanceof Error ? error.message : 'not loaded'}); ` +
        `check the connection and reload the page.`,
    );
  }
}

/** Returns why the GPU cannot be used, or undefined if it can. */
export function whyNoWebGpu(): string | undefined {
  if (!('gpu' in navigator)) return 'this browser has no WebGPU';
  if (getGlobalLiteRtPromise() === undefined) return 'LiteRT is not loaded';
  try {
    return getWebGpuDevice() === null ? 'WebGPU finds no graphics adapter' : undefined;
  } catch {
    return 'LiteRT is not loaded yet';
  }
}

/** A compiled graph. */
export class Engine {
  private constructor(
    private readonly model: CompiledModel,
    private readonly shape: number[],
  ) {}

  /**
   * Compiles a graph and runs it once, because a GPU may only fail in the first run.
   *
   * @param warmUp the input of that run.
   * @param shape the shape of the input tensor.
   * @throws PageError the graph does not run on this accelerator.
   */
  static async load(
    data: Uint8Array,
    accelerator: Accelerator,
    warmUp: TypedArray,
    shape: number[],
  ): Promise<Engine> {
    await loadRuntime();
    const obstacle = accelerator === 'webgpu' && whyNoWebGpu();
    if (obstacle) throw new PageError(`The GPU cannot be used: ${obstacle}; use the CPU.`);
    let engine: Engine | undefined;
    try {
      const gpuOptions = { precision: 'fp32' } as const; // float16 changes scores
      engine = new Engine(await loadAndCompile(data, { accelerator, gpuOptions }), shape);
      await engine.run(warmUp);
      return engine;
    } catch (error) {
      engine?.close();
      const where = accelerator === 'webgpu' ? 'the GPU in this browser' : 'this browser';
      throw new PageError(
        `The model does not run on ${where} (${reason(error)}); choose another model` +
          (accelerator === 'webgpu' ? ' or the CPU.' : '.'),
      );
    }
  }

  /** The accelerator that runs the graph. LiteRT.js may have moved all or part of it to the CPU. */
  get accelerator(): Accelerator {
    return this.model.options.accelerator as Accelerator;
  }

  /** The accelerator, in words for the user. */
  get description(): string {
    if (this.accelerator === 'wasm') return 'CPU: XNNPACK in WebAssembly, one thread';
    // Some browsers have no adapterInfo.
    const info: GPUAdapterInfo | undefined = getWebGpuDevice()?.adapterInfo;
    const parts = [info?.vendor, info?.architecture].filter(Boolean);
    const device = info?.description || parts.join(' ');
    const partly = this.model.isFullyAccelerated ? '' : ', some operations on the CPU';
    return `GPU: WebGPU${device && ` on ${device}`}${partly}`;
  }

  /** Returns the raw output for one input. Wait for it before the next call. */
  async run(input: TypedArray): Promise<TypedArray> {
    const tensor = new Tensor(input, this.shape);
    try {
      const [output] = await this.model.run([tensor]);
      try {
        return await output!.data();
      } finally {
        output!.delete();
      }
    } finally {
      tensor.delete();
    }
  }

  close(): void {
    this.model.delete();
  }
}
