/** How often a person sees it move. */
const showMilliseconds = 100;
const barCharacters = 30;

/** How far something is, told on standard error while it runs. */
export interface Progress {
  readonly show: (done: number) => void;
  /** Leaves nothing of it behind. */
  readonly clear: () => void;
}

/** A line that only a terminal shows: with a bar when it is known how many `things` there are in all. */
export function openProgress(things: string, total?: number, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { show: () => undefined, clear: () => undefined };
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    show(done) {
      const now = performance.now();
      if (now - shownAt < showMilliseconds && done !== total) return;
      shownAt = now;
      stream.write(`\r${formatProgress(things, done, total)}\u001b[K`);
    },
    clear() {
      if (shownAt > 0) stream.write('\r\u001b[K');
    },
  };
}

/** `████░░░░ 50 % 500 of 1,000 rows`. */
export function formatProgress(things: string, done: number, total?: number): string {
  const count = done.toLocaleString('en');
  if (total === undefined) return `${count} ${things}`;
  // A server may say that less than nothing is done.
  const share = total === 0 ? 1 : Math.max(0, Math.min(1, done / total));
  const full = Math.round(share * barCharacters);
  const bar = '█'.repeat(full) + '░'.repeat(barCharacters - full);
  return `${bar} ${Math.floor(share * 100)} % ${count} of ${total.toLocaleString('en')} ${things}`;
}
