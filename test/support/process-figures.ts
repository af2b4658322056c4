import { readdirSync, readFileSync } from 'node:fs';

/** MiB of memory that a process occupies; undefined where the system does not say. */
export function residentMebibytes(pid: number): number | undefined {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '')?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) / 1024;
}

/** How many files and sockets a process has open; undefined where the system does not say. */
export function openDescriptors(pid: number): number | undefined {
  return read(() => readdirSync(`/proc/${pid}/fd`).length);
}

/** How many peers are connected to a port of this machine, TLS or not; undefined where the system does not say. */
export function connectedPeers(port: number): number | undefined {
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  const peer = new RegExp(`^ *\\d+: [0-9A-F]+:${local} [0-9A-F:]+ 01 `, 'gm'); // 01: established.
  const tables = ['tcp', 'tcp6'].map((name) => read(() => readFileSync(`/proc/net/${name}`, 'utf8')));
  return tables[0] === undefined ? undefined : (tables.join('\n').match(peer)?.length ?? 0);
}

function read<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
