import { connectionsPerUserMax } from '../../src/model/limits.ts';
import type { Flooding } from './attack.ts';
import type { Scenario } from './scenario.ts';

/** Half a megabyte for each stranger who may be there, most of it OpenSSL's, and as much for half-open peers. */
const crowdMebibytesMax = 128;
/** A page of history and what of it waits to be read, for each connection; see `unreadReplyBytesMax`. */
const unreadMebibytesMax = 256;
const floodMebibytesMax = 128;
const membersMin = 2000;
/** 100 KiB each: a TLS connection, and room for a line. */
const membersMebibytesMax = 200;

/** What the hostile do: each is measured side by side with quiet. */
export const scenarios: readonly Scenario[] = [
  {
    name: '10,000 silent or dripping',
    order: () => ({ kind: 'silent', connections: 10_000 }),
    gatherSeconds: 8,
    growthMebibytesMax: crowdMebibytesMax,
    atLeast: { reached: 10_000 },
  },
  {
    name: '2,000 logged in, silent or dripping',
    order: (_token, tokens) => ({ kind: 'silent members', connections: membersMin, tokens }),
    gatherSeconds: 10,
    growthMebibytesMax: membersMebibytesMax,
    atLeast: { most: membersMin },
  },
  {
    // Of whom the server keeps 1,000: each that comes beyond them takes the place of one that does nothing.
    name: '2,000 of one user, silent or dripping',
    order: (token) => ({ kind: 'silent members', connections: membersMin, tokens: [token] }),
    gatherSeconds: 10,
    growthMebibytesMax: membersMebibytesMax / 2,
    atLeast: { reached: membersMin, most: connectionsPerUserMax },
  },
  {
    name: '200 logins a second',
    order: () => ({ kind: 'logins', perSecond: 200 }),
    seconds: 30,
    growthMebibytesMax: crowdMebibytesMax,
    slowerMax: { adds: 4 },
    atLeast: { dialedPerSecond: 190 },
  },
  {
    name: '50 readers that never read',
    order: (token) => ({ kind: 'unread', connections: 50, token }),
    growthMebibytesMax: unreadMebibytesMax,
  },
  ...(['add', 'view', 'search', 'history', 'ping', 'delivery'] as const).flatMap((what) => [
    flooding(what, 1, 256),
    flooding(what, 8, 256),
  ]),
  flooding('short delivery', 8, 256),
  flooding('add', 256, 1),
  flooding('delivery', 256, 1),
  // Nothing behind a page is read before it is answered.
  flooding('import', 8, 4),
];

function flooding(what: Flooding, connections: number, depth: number): Scenario {
  return {
    name: `one user floods: ${what}, ${connections} × ${depth}`,
    order: (token) => ({ kind: 'flood', connections, depth, what, token }),
    growthMebibytesMax: floodMebibytesMax,
    slowerMax: { adds: 3, views: 3, arrivals: 3 },
    atLeast: { most: connections },
  };
}
