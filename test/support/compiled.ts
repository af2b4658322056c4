import type { TestProject } from 'vitest/node';
import { compile } from './programs.ts';

/** Before the tests of a run, and again before those that are run because something was changed. */
export default async function setup(project: TestProject): Promise<void> {
  await compile();
  project.onTestsRerun(compile);
}
