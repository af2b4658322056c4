import { printable } from '../model/printable.ts';

/** What the doctor found out about one thing. */
export interface Diagnosis {
  /** What was looked at: one word. */
  readonly check: string;
  /** A problem keeps the server from starting, or makes it unsafe; a warning becomes one. */
  readonly level: 'ok' | 'warning' | 'problem';
  /** A sentence. */
  readonly message: string;
  /** What to do about it. */
  readonly todo?: string;
}

/** What looks at one thing: yields a diagnosis for each part of it. */
export type Examination = AsyncGenerator<Diagnosis, void, void>;

/** Whether nothing is wrong, whatever may become so. */
export function isHealthy(diagnoses: readonly Diagnosis[]): boolean {
  return diagnoses.every(({ level }) => level !== 'problem');
}

/**
 * What a person reads: a line for each diagnosis, and below it what to do. Files and ports may be somebody else's, who may
 * not tell the terminal anything.
 */
export function formatDiagnoses(diagnoses: readonly Diagnosis[]): string {
  const lines = diagnoses.flatMap(({ check, level, message, todo }) => [
    `${level.padEnd(8)} ${check.padEnd(12)} ${printable(message)}`,
    ...(todo === undefined ? [] : [`${''.padEnd(22)}${printable(todo)}`]),
  ]);
  const count = (wanted: Diagnosis['level']) => diagnoses.filter(({ level }) => level === wanted).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  const summary =
    problems + warnings === 0 ? 'Nothing to see to.' : `To see to: ${problems} problem(s), ${warnings} warning(s).`;
  return `${[...lines, summary].join('\n')}\n`;
}
