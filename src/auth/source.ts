/** Where an attempt to log in comes from. */
export interface Source {
  /** Names the source among those of one account: `device:`, `certificate:`, `session:` or `address:` and more. */
  readonly key: string;
  /** Whether it has proven to be this account's, by what strangers cannot have. */
  readonly isKnown: boolean;
  /** The peer's address as `addressOf` gives it. */
  readonly address: string;
}

/**
 * The address by which failures are counted: IPv4 whole, also as `::ffff:192.0.2.1`; IPv6 by its first 64 bits, because
 * whoever has one such address has all of them.
 */
export function addressOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const [plain = ''] = ip.split('%');
  const [head = [], tail = []] = plain.split('::').map(groupsOf);
  const zeros = new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0);
  const groups = [...head, ...zeros, ...tail];
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return groups.slice(6).flatMap(bytesOf).join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The 16-bit groups of one side of `::`, where an IPv4 address at the end is two of them. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    const [a, b, c, d] = group.split('.').map(Number);
    if (a === undefined || b === undefined || c === undefined || d === undefined) return Number.parseInt(group, 16);
    return [a * 256 + b, c * 256 + d];
  });
}

function bytesOf(group: number): number[] {
  return [group >> 8, group & 255];
}
