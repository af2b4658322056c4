/** One mistake in the configuration, said in one line. */
export interface Problem {
  /** `file:line:column`, or the name of the environment variable or flag. */
  readonly where: string;
  readonly key: string;
  readonly problem: string;
  readonly got: string;
  readonly fix: string;
}

/** The two parts of a problem that say what is wrong and what to do. */
export type Saying = readonly [problem: string, fix: string];

/** `where key: problem (got X) - fix`. */
export function formatProblem({ where, key, problem, got, fix }: Problem): string {
  return `${where} ${key}: ${problem} (got ${got}) - ${fix}`;
}

/** What an operator reads when the configuration is refused: how many problems, then each on its line. */
export function formatProblems(problems: readonly string[]): string {
  const count = problems.length === 1 ? 'A problem' : `${problems.length} problems`;
  return [`${count} in the configuration; nothing was started or changed:`, ...problems].join('\n  ');
}

/** Every mistake in the configuration at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(formatProblems(problems));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * What follows the host of a URL, and what precedes it, may be somebody's secret; messages end up in logs. Of a URL that
 * is so misspelt that its host is not certain, nothing is left.
 */
export function hideSecrets(text: string): string {
  return text
    .replace(/:\/\/([^/?#\\]*@)?([\w.:[\]-]*)([\s\S]*)$/, (_, user, host: string, rest: string) => {
      return `://${user ? '...@' : ''}${host}${rest.length > 1 ? `${rest[0]}...` : rest}`;
    })
    .replace(/(https?)(?!:\/\/)\W[\s\S]*$/i, '$1...')
    .replace(/^([\w-]+\.[\w.:-]+[/?#\\])[\s\S]+$/, '$1...'); // Without https:// it is a host all the same.
}

/** A value as a message shows it: short, on one line, no URL's secrets in it. */
export function formatGot(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(typeof value === 'string' ? hideSecrets(value) : value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
