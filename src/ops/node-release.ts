/**
 * By line, the first release without an advisory about TLS, crypto or HTTP that was known when this was written (security
 * releases of June and July 2026). A line that is missing here and older than the newest gets no fixes any more.
 */
const safeFrom: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  24: [18, 1],
  26: [3, 1],
};

const newest = Math.max(...Object.keys(safeFrom).map(Number));

/** What an operator should do about the version of Node.js, such as 24.1.0; undefined when nothing is known against it. */
export function adviseNode(version: string): string | undefined {
  const [line = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const safe = safeFrom[line];
  if (!safe) {
    return line > newest
      ? undefined
      : `Node.js ${version} is of a line that gets no security fixes. Run the server with a current Node.js 24: npm install brings one`;
  }
  if (minor > safe[0] || (minor === safe[0] && patch >= safe[1])) return undefined;
  return `Node.js ${version} has known security advisories. Run the server with ${line}.${safe.join('.')} or newer: npm install brings one`;
}
