import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { createClient } from '../../src/client/client.js';
import { talk } from '../server/conversation.js';
import { contentOfFile, contentOfServer } from './content.js';
import { serverProcesses } from './server-process.js';

async function statusOf(address: string): Promise<ReadonlyMap<string, string>> {
  const client = createClient({ address });
  try {
    return (await client.status()).facts;
  } finally {
    client.close();
  }
}

describe('A server that is started again', () => {
  const servers = serverProcesses();

  for (const [fsync, survives] of [
    ['always', 'power-cut'],
    ['everysec', 'process-crash'],
    ['off', 'process-crash'],
  ] as const) {
    it(`has its data and the next term, with --fsync ${fsync}, which STATUS names`, async () => {
      for (const [start, end] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
        const server = await servers.start({ options: ['--fsync', fsync] });
        const term = String(start + 1);
        expect(server.stdout).to.match(new RegExp(`^ready 127\\.0\\.0\\.1:\\d+ role=primary term=${term}\n`));
        const facts = await statusOf(server.address);
        expect(facts.get('term')).to.equal(term);
        expect(facts.get('fsync')).to.equal(fsync);
        expect(facts.get('acknowledged_writes_survive')).to.equal(survives);
        expect(facts.get('keys')).to.equal(String(start));
        expect(await talk(server.address, `PUT key${term} value${term}\n`)).to.equal('OK\n');
        server.signal(end);
        await server.ended;
      }
      const last = await servers.start();
      const expected = { key1: 'value1', key2: 'value2' };
      expect(Object.fromEntries(await contentOfServer(last.address))).to.deep.equal(expected);
    });
  }

  it('says ready first, and neither keys nor values in its log of JSON lines', async () => {
    const marker = 'Marker7f3a';
    const odd = [
      `PUT ${marker} ${marker}\nGET ${marker}\nDELETE ${marker}\nPUT ${marker}\nNONSENSE ${marker}\n`,
      `PUT ${marker} "${marker}\n${marker}\nPUT ${marker.repeat(7000)} v\nSNAPSHOT\nKEYS ${marker}*\n`,
      `PUT ${marker} ${marker} and on`,
      `GET /${marker} HTTP/1.1\r\nHost: ${marker}\r\n\r\n`,
    ];
    const starts = [];
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const server = await servers.start({ options: ['--log-level', 'debug'] });
      starts.push(server);
      for (const bytes of odd) await talk(server.address, bytes);
      await talk(server.address, `PUT ${marker} ${marker}\n`);
      server.signal(signal);
      await server.ended;
    }
    for (const server of starts) {
      expect(server.stdout).to.match(/^ready \S+ role=primary term=\d+\n/);
      expect(server.stdout + server.stderr).not.to.include(marker);
      for (const event of server.events) expect(event).to.have.property('msg');
    }
    expect(readFileSync(`${servers.dbPath}.d/node.json`, 'utf8')).not.to.include(marker);
    expect(Object.fromEntries(contentOfFile(servers.dbPath))).to.deep.equal({ [marker]: marker });
  });
});
