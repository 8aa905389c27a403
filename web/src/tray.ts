/** The pictures at hand: samples, and what the user brought. */

import { decode } from './image';
import { drawSquare, element } from './view';

export interface Item {
  name: string; // for people
  read(): Promise<Blob>;
  button: HTMLButtonElement;
}

/**
 * Adds a picture.
 *
 * @param url of its thumbnail; one is drawn once the picture is read where there is none.
 * @param onChosen called when the user picks it.
 */
export function addItem(
  name: string,
  read: () => Promise<Blob>,
  onChosen: (item: Item) => void,
  { url, first = false }: { url?: string; first?: boolean } = {},
): Item {
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
  button.addEventListener('click', () => onChosen(item));
  const row = document.createElement('li');
  row.append(button);
  element('tray')[first ? 'prepend' : 'append'](row);
  return item;
}

/** Reads an item's picture, and draws its thumbnail where it has none yet. */
export async function open(item: Item): Promise<ImageData> {
  const picture = await decode(await item.read(), item.name);
  const canvas = item.button.querySelector('canvas');
  if (canvas !== null) drawSquare(canvas, picture);
  return picture;
}

/** Marks which item is on the stage, none while the camera is. */
export function mark(chosen: Item | undefined): void {
  for (const button of element('tray').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', String(button === chosen?.button));
  }
}

/** Writes a class under an item. */
export function caption({ name, button }: Item, label: string): void {
  button.querySelector('span')!.textContent = label;
  button.setAttribute('aria-label', label ? `${name}: ${label}` : name);
}

/** Takes the classes away, when another model is to answer. */
export function forgetCaptions(items: Item[]): void {
  items.forEach((item) => caption(item, ''));
}

export function remove({ button }: Item): void {
  button.parentElement!.remove();
}
