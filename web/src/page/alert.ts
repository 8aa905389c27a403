/** Shows what went wrong. */

import { PageError, sentence } from '../errors';
import { element } from './dom';

/** Shows a message until the user dismisses it. An empty message hides the previous one. */
export function showAlert(message: string): void {
  const alert = element('alert');
  alert.querySelector('p')!.textContent = message;
  alert.hidden = message === '';
}

/** Runs what the user asked for, and shows a sentence if it fails. */
export async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof PageError)) console.error(error);
    showAlert(sentence(error));
  }
}
