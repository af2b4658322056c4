/** One command of a transcript, and what is told about it. */
export interface Step {
  /** Comments and empty lines before the command. */
  readonly before: readonly string[];
  /** Who types: the name before the `$`. */
  readonly account: string;
  readonly command: string;
  /** What the command reads: the lines after `< `. */
  readonly input: readonly string[];
  /** What it prints, and last its exit status in brackets unless that is 0. */
  readonly output: readonly string[];
}

export interface Transcript {
  readonly steps: readonly Step[];
  /** What stands after the last step. */
  readonly after: readonly string[];
}

const prompt = /^([a-z0-9]*)\$ (.+)$/;

/** Reads a transcript: test/transcript/README.md describes the form. */
export function parseTranscript(text: string): Transcript {
  const lines = text.replace(/\n$/, '').split('\n');
  const steps: Step[] = [];
  let at = 0;
  const takeWhile = (test: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && test(lines[at] ?? '')) at++;
    return lines.slice(from, at);
  };
  let before = takeWhile((line) => !prompt.test(line));
  while (at < lines.length) {
    const [, account = '', command = ''] = prompt.exec(lines[at++] ?? '') ?? [];
    const input = takeWhile((line) => line.startsWith('< ')).map((line) => line.slice(2));
    const output = takeWhile((line) => !prompt.test(line) && !line.startsWith('# '));
    const empty = [];
    while (output.at(-1) === '') empty.push(output.pop() ?? '');
    steps.push({ before, account, command, input, output });
    before = [...empty, ...takeWhile((line) => !prompt.test(line))];
  }
  return { steps, after: before };
}

/** What a person would see of a step before its output. */
export function formatCommand({ account, command, input }: Pick<Step, 'account' | 'command' | 'input'>): string[] {
  return [`${account}$ ${command}`, ...input.map((line) => `< ${line}`)];
}

/** The inverse of `parseTranscript`. */
export function formatTranscript({ steps, after }: Transcript): string {
  const lines = steps.flatMap((step) => [...step.before, ...formatCommand(step), ...step.output]);
  return `${[...lines, ...after].join('\n')}\n`;
}
