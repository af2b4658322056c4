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

function read<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
