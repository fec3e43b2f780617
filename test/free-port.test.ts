import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { freePort } from './free-port.js';

const MODULE = new URL('free-port.js', import.meta.url).href;

describe('A free port', () => {
  it('IsGivenToNobodyElseInThisProcessOrAnotherWhetherSomebodyListensThereOrNot', async () => {
    const ports = new Set<number>();
    for (let count = 0; count < 300; count++) ports.add(await freePort());
    expect(ports.size).to.equal(300);
    const script = `
      const { freePort } = await import(${JSON.stringify(MODULE)});
      // So that it is offered what is taken, again and again, before it is offered what is not.
      const offered = ${JSON.stringify([...ports])};
      const { random } = Math;
      Math.random = () => (offered.length > 0 ? (offered.shift() - 15_000 + 0.5) / 15_000 : random());
      console.log(await freePort(), offered.length);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    expect(await once(child, 'close')).to.deep.equal([0, null]);
    const [given, left] = output.split(' ').map(Number);
    expect(left).to.equal(0);
    expect(ports.has(given!)).to.equal(false);
  });

  it('IsOneWhereASocketCanListen', async () => {
    const port = await freePort();
    const server = net.createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  });
});
