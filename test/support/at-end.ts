const cleanings: (() => void)[] = [];

/**
 * Has something done, at once, when this process ends before its tests have cleaned up, however it ends but by kill -9: last
 * things first. Returns what to call when it is no longer needed.
 */
export function atEnd(clean: () => void): () => void {
  cleanings.push(clean);
  return () => {
    const at = cleanings.indexOf(clean);
    if (at !== -1) cleanings.splice(at, 1);
  };
}

function cleanUp(): void {
  for (let clean = cleanings.pop(); clean; clean = cleanings.pop()) clean();
}

process.once('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    cleanUp();
    process.kill(process.pid, signal); // It ends as it would have without this.
  });
}
// Vitest ends without its workers, whose tests would go on with nobody to tell.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
