// A server that the lock test starts and kills: it opens the store named by its argument, writes, and waits.
import { openStore } from '../../src/store/open.ts';
import { intentOf, note } from './intent.ts';

const store = await openStore(`sqlite:${process.argv[2]}`, { exclusive: true });
await store.addUser(note, 'held', 'clerk', null, 1);
await store.apply(intentOf('add', [['Soap', 1]]), 1);
process.send?.('ready');
