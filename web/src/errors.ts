/** Errors, and the sentences that the page shows for them. */

/** An expected failure. Its message is one sentence: what is wrong, then the remedy. */
export class PageError extends Error {}

/** Returns the sentence to show for anything that was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof PageError) return error.message;
  return `Something unexpected went wrong (${reason(error)}); reload the page and try again.`;
}

/** Returns the message of anything that was thrown, to be quoted in a sentence. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
