import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Values that nobody may find, by the names that a failing test shows instead of them. */
export class Secrets {
  readonly #values = new Map<string, string>();

  /** The value, from now on looked for. */
  keep(name: string, value: string): string {
    if (value.length < 8) throw new Error(`${name} is too short to be looked for: ${value.length} characters`);
    this.#values.set(name, value);
    return value;
  }

  get size(): number {
    return this.#values.size;
  }

  /** The names of the secrets that a text holds, in any form that a program could have given them. */
  in(text: Uint8Array | string): string[] {
    const bytes = Buffer.from(text);
    return [...this.#values]
      .filter(([, value]) => formsOf(value).some((form) => bytes.includes(form)))
      .map(([name]) => name);
  }

  /** `FILE: SECRET` for each of them in a file below the folder; `mayHold` names who may keep what. */
  inFiles(folder: string, mayHold: (file: string, secret: string) => boolean): string[] {
    return filesBelow(folder).flatMap((file) =>
      this.in(readFileSync(join(folder, file)))
        .filter((secret) => !mayHold(file, secret))
        .map((secret) => `${file}: ${secret}`),
    );
  }
}

/** Every file below a folder that a run can have left; packages and sources were there before. */
export function filesBelow(folder: string): string[] {
  return globSync('**/*', { cwd: folder, exclude: (name) => ['node_modules', 'src', 'dist', 'scripts'].includes(name) })
    .filter((file) => statSync(join(folder, file)).isFile())
    .concat(
      globSync('**/.*', { cwd: folder, exclude: (name) => name === 'node_modules' }).filter((file) =>
        statSync(join(folder, file)).isFile(),
      ),
    );
}

function formsOf(value: string): readonly Buffer[] {
  const bytes = Buffer.from(value);
  const [json, percent] = [JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
  const forms = [value, json, percent, bytes.toString('hex'), bytes.toString('base64url').slice(0, -1)];
  // What is itself an encoding may be kept decoded: a raw key or code in a database.
  const decoded = /^[\w-]{20,}$/.test(value) ? [Buffer.from(value, 'base64url')] : [];
  return [...forms.map((form) => Buffer.from(form)), Buffer.from(value, 'utf16le'), ...decoded];
}
