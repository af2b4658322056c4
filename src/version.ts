import { readFileSync } from 'node:fs';

// package.json lies one folder above src and above dist alike.
const packageFile = new URL('../package.json', import.meta.url);

/** This package's version. */
export const version: string = JSON.parse(readFileSync(packageFile, 'utf8')).version;
