/** The tray: a button for each image at hand, first those of the user, then the samples. */

import { decode, type DecodedImage } from '../inputs/decode';
import { element } from './dom';
import { drawSquare } from './draw';

export interface TrayItem {
  name: string; // for the user
  read(): Promise<Blob>;
  button: HTMLButtonElement;
}

/**
 * Adds an image.
 *
 * @param url of its thumbnail; without one, the thumbnail is drawn when the image is read.
 * @param onPicked called when the user picks the item.
 */
export function addItem(
  name: string,
  read: () => Promise<Blob>,
  onPicked: (item: TrayItem) => void,
  { url, first = false }: { url?: string; first?: boolean } = {},
): TrayItem {
  const button = document.createElement('button');
  button.type = 'button';
  button.setAttribute('aria-label', name);
  button.setAttribute('aria-pressed', 'false');
  if (url !== undefined) {
    const image = new Image(32, 32);
    image.src = url;
    image.alt = '';
    button.append(image);
  } else {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 96;
    button.append(canvas);
  }
  button.append(document.createElement('span'));
  const item = { name, read, button };
  button.addEventListener('click', () => onPicked(item));
  const row = document.createElement('li');
  row.append(button);
  element('tray')[first ? 'prepend' : 'append'](row);
  return item;
}

/** Reads an item's image, and draws its thumbnail if the item has none yet. */
export async function open(item: TrayItem): Promise<DecodedImage> {
  const image = await decode(await item.read(), item.name);
  const canvas = item.button.querySelector('canvas');
  if (canvas !== null) drawSquare(canvas, image);
  return image;
}

/** Marks the item on the stage. Without an item, marks none. */
export function mark(onStage: TrayItem | undefined): void {
  for (const button of element('tray').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', String(button === onStage?.button));
  }
}

/** Writes a label under an item. */
export function caption({ name, button }: TrayItem, label: string): void {
  button.querySelector('span')!.textContent = label;
  button.setAttribute('aria-label', label ? `${name}: ${label}` : name);
}

/** Removes the labels under all items, because another model may give others. */
export function clearCaptions(items: TrayItem[]): void {
  items.forEach((item) => caption(item, ''));
}

export function remove({ button }: TrayItem): void {
  button.parentElement!.remove();
}
