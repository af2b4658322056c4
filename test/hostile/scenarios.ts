import type { Scenario } from './scenario.ts';

/** Half a megabyte for each stranger who may be there, most of it OpenSSL's, and as much for half-open peers. */
const crowdMebibytesMax = 128;
/** A page of history and what of it waits to be read, for each connection; see `unreadReplyBytesMax`. */
const unreadMebibytesMax = 256;
const floodMebibytesMax = 128;

/** What the hostile do: each is measured side by side with quiet. */
export const scenarios: readonly Scenario[] = [
  {
    name: '10,000 silent or dripping',
    order: () => ({ kind: 'silent', connections: 10_000 }),
    gatherSeconds: 8,
    growthMebibytesMax: crowdMebibytesMax,
  },
  {
    name: '200 logins a second',
    order: () => ({ kind: 'logins', perSecond: 200 }),
    seconds: 30,
    growthMebibytesMax: crowdMebibytesMax,
    slowerMax: 4,
  },
  {
    name: '50 readers that never read',
    order: (token) => ({ kind: 'unread', connections: 50, token }),
    growthMebibytesMax: unreadMebibytesMax,
  },
  ...(['add', 'view', 'ping', 'delivery'] as const).flatMap((what): Scenario[] =>
    [1, 8].map((connections) => ({
      name: `one user floods: ${what}, ${connections} × 256`,
      order: (token) => ({ kind: 'flood', connections, depth: 256, what, token }),
      growthMebibytesMax: floodMebibytesMax,
      slowerMax: 3,
    })),
  ),
];
