import { afterAll } from 'vitest';
import { removeFolders } from '../pki/folder.ts';

// Runs for each file of tests: modules are loaded once for all files of a process, so a hook in one of them would not.
afterAll(removeFolders);
