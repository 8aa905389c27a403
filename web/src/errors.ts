/** An expected failure; its message is one sentence for the person at the screen. */
export class PageError extends Error {}

/** Returns what to show for anything that was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof PageError) return error.message;
  const what = error instanceof Error ? error.message : String(error);
  return `Something unexpected went wrong (${what}); reload the page and try again.`;
}
