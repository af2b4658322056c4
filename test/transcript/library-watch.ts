import { connect } from '../../src/index.ts';

const inventory = await connect();
await inventory.add({ item: 'Maggi', quantity: 200 });
await inventory.take({ item: 'Maggi', quantity: 20 });
// From the first movement on; without `after` from now on. Keep the `seq` of the last one to go on there some day.
for await (const { seq, item, delta, balance, user } of inventory.watch({ after: 0 })) {
  console.log(`${seq}: ${user} ${delta} ${item}, now ${balance}`);
  if (balance < 190) break;
}
await inventory.close();
