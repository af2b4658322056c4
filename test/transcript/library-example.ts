import { connect, Failure } from '../../src/index.ts';

const inventory = await connect();
try {
  const { balance } = await inventory.add({ item: 'Maggi', quantity: 200 });
  console.log(`There are ${balance} now.`);
  await inventory.take({ item: 'Maggi', quantity: 1000 });
} catch (error) {
  if (!(error instanceof Failure) || error.code !== 'out-of-stock') throw error;
  console.log(error.message);
} finally {
  await inventory.close();
}
