import { startServer } from 'understudy-kv';

/** A server whose log never becomes long enough for a snapshot, so that a start finds all its data in the log. */

const [address, dbPath] = process.argv.slice(2);
const [, host, port] = /^(.*):(\d+)$/.exec(address ?? '') ?? [];
if (host === undefined || dbPath === undefined) throw new Error('give HOST:PORT and FILE');
const node = await startServer({
  address: { host, port: Number(port) },
  dbPath,
  fsync: 'off',
  snapshotLogBytes: Number.MAX_SAFE_INTEGER,
});
console.log(`ready ${node.address} role=${node.role} term=${String(node.term)}`);
