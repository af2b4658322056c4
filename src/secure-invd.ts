#!/usr/bin/env node
// Nothing else may be imported before this check: node:sqlite and half of TLS are not what we need in older versions.
const oldest = 24;
if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(
    `secure-invd: needs Node.js ${oldest} or newer (this is ${process.versions.node}). npm install has brought it; in the project's folder: npm start, or npx secure-invd …\n`,
  );
  process.exit(1);
}
const { run } = await import('./daemon-program.ts');
await run(process.argv);

export {};
