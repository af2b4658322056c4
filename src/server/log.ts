import { type Logger, pino } from 'pino';

export interface LogSettings {
  readonly level: string;
  readonly format: 'auto' | 'json' | 'pretty';
}

/**
 * The server's log on standard error: one JSON object a line, or for people on a terminal one readable line. A value
 * is always a field of its own, so that no name can forge a line.
 */
export async function openLog({ level, format }: LogSettings): Promise<Logger> {
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (format === 'json' || (format === 'auto' && !process.stderr.isTTY)) return pino(options, pino.destination(2));
  const { default: pretty } = await import('pino-pretty');
  // Objects stay on the line of their event.
  return pino(options, pretty({ destination: 2, sync: true, singleLine: true, colorize: process.stderr.isTTY }));
}

export type { Logger };
