import { readFileSync } from 'node:fs';

/** Linux counts in ticks of 1/100 s for every program, whatever the kernel's own clock does (proc(5), sysconf(3)). */
const microsecondsPerTick = 10_000;
/** Fields of proc(5) `stat`, counted from the one after the name, which itself may contain anything. */
const own = 11;
const children = 13;

/** User and system time that a process has used, in microseconds; NaN where there is no /proc. */
export function processorTime(pid: number): number {
  return read(pid, own);
}

/** The same of all children of this process that have ended. */
export function childrenProcessorTime(): number {
  return read(process.pid, children);
}

function read(pid: number, field: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[field]) + Number(fields[field + 1])) * microsecondsPerTick;
  } catch {
    return Number.NaN;
  }
}

/** Memory of a process that is in RAM, in bytes; NaN where there is no /proc. */
export function residentMemory(pid: number): number {
  try {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return Number.NaN;
  }
}
