import { expect, test } from 'vitest';
import { adviseNode } from '../../src/ops/node-release.ts';

test.for(['24.18.1', '24.18.2', '24.19.0', '26.3.1', '26.10.0', '27.0.0'])(
  'nothing is known against Node.js %s',
  (version) => expect(adviseNode(version)).toBeUndefined(),
);

test.for([
  ['24.18.0', '24.18.1'],
  ['24.9.9', '24.18.1'],
  ['26.3.0', '26.3.1'],
  ['26.2.9', '26.3.1'],
] as const)('of Node.js %s there are advisories, and %s is without them', ([version, safe]) => {
  expect(adviseNode(version)).toMatch(
    `Node.js ${version} has known security advisories. Run the server with ${safe} or`,
  );
});

test.for(['25.9.0', '23.11.1', '22.30.0', '20.20.0'])('the line of Node.js %s gets no fixes', (version) => {
  expect(adviseNode(version)).toContain(`Node.js ${version} is of a line that gets no security fixes.`);
});
