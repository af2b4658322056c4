import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LiveFiles } from '../../src/file/live-files.ts';
import { temporaryFolder } from '../support/server.ts';

/** Two files that are good when they say the same. */
async function openPair() {
  const folder = await temporaryFolder();
  const paths = [join(folder, 'key'), join(folder, 'certificate')];
  const write = (at: number, text: string) => writeFile(paths[at] ?? '', text);
  await Promise.all([write(0, 'one'), write(1, 'one')]);
  const problems: string[] = [];
  const files = await LiveFiles.open({
    paths,
    load: async () => {
      const [key, certificate] = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
      if (key !== certificate) throw new Error(`${key} is not ${certificate}`);
      return key;
    },
    onProblem: (problem) => problems.push(String(problem)),
  });
  return { files, problems, write };
}

test('files that are replaced one after the other are taken up together, and nobody is alarmed', async () => {
  const { files, problems, write } = await openPair();
  await write(0, 'second');
  const look = files.reload();
  await write(1, 'second');
  expect(await look).toBe('changed');
  expect([files.current, problems]).toEqual(['second', []]);
});

test('what is not good stays out and is told once', async () => {
  const { files, problems, write } = await openPair();
  await write(0, 'second');
  expect(await files.reload()).toMatchObject({ problem: expect.any(Error) });
  await files.reload();
  expect([files.current, problems]).toEqual(['one', ['Error: second is not one']]);
});
