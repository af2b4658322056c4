import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRequest } from '../../src/wire/message.ts';
import type { Attack, Flooding } from './attack.ts';
import { countDone, dialTls } from './dialer.ts';

const deliveryLines = 1000;
const items = 200;
const pageRows = 1000;
/** On each of 8 connections; more would make the first of a user's imports go (`importRowsMax`). */
const importPages = 100;

/** A request as it stands on the wire. */
export function line(id: number, method: string, params: Readonly<Record<string, unknown>> = {}): string {
  return formatRequest({ id, method, params });
}

const deliveredLines = Array.from({ length: deliveryLines }, (_, at) => ({ item: `Flood ${at}`, quantity: 1 }));
const shortDeliveredLines = deliveredLines.slice(0, 100);

const requests = {
  add: (turn) => line(1, 'add', { item: `Flood ${turn % items}`, quantity: 1, operation: randomUUID() }),
  delivery: () => line(1, 'add', { lines: deliveredLines, operation: randomUUID() }),
  'short delivery': () => line(1, 'add', { lines: shortDeliveredLines, operation: randomUUID() }),
  view: () => line(1, 'view', { limit: 1000 }),
  // Of what the delivery and the adds leave, it fits much; of nothing it still looks.
  search: (turn) => line(1, 'view', { search: turn % 2 === 0 ? 'flood' : 'em 1', limit: 1000 }),
  history: () => line(1, 'history', { limit: 1000 }),
  ping: () => line(1, 'ping'),
} as const satisfies Readonly<Record<Exclude<Flooding, 'import'>, (turn: number) => string>>;

/** For each answer another request, so that there are always as many in flight. */
export async function flood({ depth, what, token, ...server }: Attack & { kind: 'flood' }): Promise<void> {
  for (let at = 0; at < server.connections; at++) {
    const socket = dialTls(server);
    let next: ((turn: number) => string) | undefined = what === 'import' ? undefined : requests[what];
    let turn = 0;
    const ask = (count: number) => {
      let text = '';
      for (let more = 0; next && more < count; more++) text += next(turn++);
      if (text !== '') socket.write(text);
    };
    socket.write(line(0, 'authenticate', { token }));
    if (next) ask(depth);
    else socket.write(line(0, 'import.begin', beginning()));
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('"error":')) throw new Error(`A request was refused: ${chunk.toString('utf8', 0, 400)}`);
      const replies = linesIn(chunk);
      countDone(replies);
      if (next) return ask(replies);
      const [, begun] = /"import":(\d+)/.exec(chunk.toString('latin1')) ?? [];
      if (begun === undefined) return; // The answer to authenticate came alone.
      next = pagesOf(Number(begun));
      ask(depth);
    });
    if (at % 16 === 15) await sleep(100); // More at once would be half-open peers too many.
  }
}

function beginning(): Readonly<Record<string, unknown>> {
  return { digest: randomBytes(32).toString('hex'), rows: importPages * pageRows };
}

/** All pages of an import, and then those again, which are answered and change nothing. */
function pagesOf(number: number): (turn: number) => string {
  const rows = Array.from({ length: pageRows }, (_, at) => ({ line: at + 1, item: `Flood ${at}`, quantity: 1 }));
  return (turn) => line(1, 'import.page', { import: number, page: turn % importPages, rows });
}

function linesIn(chunk: Buffer): number {
  const newline = 0x0a;
  let lines = 0;
  for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, end + 1)) lines++;
  return lines;
}
