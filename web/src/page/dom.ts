/** Finds elements of `index.html`. */

/** Returns the element with an id that `index.html` defines. */
export function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
