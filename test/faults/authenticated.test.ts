import { expect } from 'chai';
import { chmodSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { talk } from '../server/conversation.js';
import { ClusterNode, addBackup, clusters, eventually } from './cluster.js';

const SECRET = '5f0e1d2c3b4a59687786958493a2b1c0';

/** An address of this machine at which another one would reach it. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const found = all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  if (found === undefined) throw new Error('this machine has no IPv4 address but 127.0.0.1: give it one');
  return found;
}

describe('Nodes that prove who they are', () => {
  // Its servers are gone when the relays between them are closed: hooks run in the order in which they were named.
  const nodes = clusters();
  let relays: net.Server[] = [];

  afterEach(async () => {
    await Promise.all(relays.map((relay) => new Promise((resolve) => relay.close(resolve))));
    relays = [];
  });

  function secretFile(name: string, secret: string): string[] {
    const file = path.join(nodes.servers.directory, name);
    writeFileSync(file, `${secret}\n`);
    chmodSync(file, 0o600);
    return ['--cluster-secret-file', file];
  }

  /** Two nodes that do not reach each other over loopback. */
  async function pair(
    own: readonly string[],
    others: readonly string[],
  ): Promise<[ClusterNode, ClusterNode]> {
    const host = ownAddress();
    const made: ClusterNode[] = [];
    for (const [name, words] of [
      ['first', own],
      ['second', others],
    ] as const) {
      // A port that is free on loopback is likely to be free here.
      const port = (await nodes.node(`${name}-port`)).address.split(':')[1]!;
      const follows = made[0] === undefined ? [] : ['--role', 'backup', '--primary', made[0].address];
      const options = [...follows, ...words, '--allow-unauthenticated'];
      const address = `${host}:${port}`;
      made.push(new ClusterNode(nodes.servers, name, { address, advertised: address }, options));
    }
    const [first, second] = made as [ClusterNode, ClusterNode];
    await Promise.all([first.start(), second.start()]);
    return [first, second];
  }

  function warnings(node: ClusterNode): string[] {
    return node.process.events
      .filter(({ level, msg }) => Number(level) >= 40 && String(msg).startsWith('a peer was refused'))
      .map(({ msg }) => String(msg));
  }

  it('FormAClusterOverTheNetworkWithOneSecret', async () => {
    const words = secretFile('secret', SECRET);
    const [first, second] = await pair(words, words);
    await addBackup(first, second);
    expect(await first.ask('PUT key value')).to.equal('OK');
    await second.untilCaughtUpWith(first);
    expect(await second.ask('GET key')).to.equal('value');
    await first.kill();
    expect(await second.ask('PROMOTE OTHERS_ARE_DOWN')).to.match(/^OK role=primary /);
    for (const node of [first, second]) {
      expect(node.process.stderr + node.process.stdout).to.not.include(SECRET);
    }
    expect(await second.ask('STATUS')).to.not.include(SECRET);
    expect(warnings(second)).to.deep.equal([]);
  });

  it('TakeTheSecretFromTheEnvironmentToo', async () => {
    const environment = ['env', `KV_CLUSTER_SECRET=${SECRET}`];
    const first = await nodes.node('first', { options: secretFile('secret', SECRET) });
    const second = await nodes.node('second', { primary: first });
    await Promise.all([first.start(), second.start({ under: environment })]);
    await addBackup(first, second);
    expect(await first.ask('PUT key value')).to.equal('OK');
  });

  const apart: readonly (readonly [string, string | undefined, string | undefined, RegExp])[] = [
    ['AnotherSecret', SECRET, `${SECRET}0`, /before it had proved to be a node/],
    ['NoSecret', SECRET, undefined, /nodes on its own machine only/],
    ['ASecretThatThisOneLacks', undefined, SECRET, /this machine only/],
    ['NoSecretEither', undefined, undefined, /this machine only/],
  ];
  for (const [name, own, others, why] of apart) {
    it(`HaveNothingToDoWithOneThatHas ${name}`, async () => {
      const words = (secret: string | undefined, file: string): string[] =>
        secret === undefined ? [] : secretFile(file, secret);
      const [first, second] = await pair(words(own, 'own'), words(others, 'others'));
      expect(await first.ask('PUT key value')).to.equal('OK');
      const before = [await first.ask('STATUS'), await second.ask('STATUS')].map(lasting);
      const startMs = performance.now();
      const answer = await first.ask(`ADD_BACKUP ${second.address}`);
      const tookMs = performance.now() - startMs;
      if (own === undefined) {
        expect(answer)
          .to.match(/^ERROR NOT_A_PEER .*--cluster-secret-file/)
          .and.match(why);
      } else {
        expect(answer).to.match(/^ERROR UNREACHABLE no node with the secret of this cluster answers at /);
        expect(tookMs).to.be.within(2950, 5000);
        await eventually(
          'the other end says why',
          () => warnings(second),
          (found) => found.length > 0,
        );
        await first.ask(`ADD_BACKUP ${second.address}`);
        expect(warnings(second)).to.have.length(1);
        expect(warnings(second)[0]).to.match(why);
      }
      expect([await first.ask('STATUS'), await second.ask('STATUS')].map(lasting)).to.deep.equal(before);
      expect(await first.ask('GET key')).to.equal('value');
      expect(first.process.stderr + second.process.stderr).to.not.include(SECRET);
    });
  }

  it('SayThatOthersMayReadTheSecret', async () => {
    const words = secretFile('secret', SECRET);
    chmodSync(words[1]!, 0o644);
    const node = await nodes.node('open', { options: words });
    await node.start();
    expect(node.process.stderr).to.include('others than its owner may read the secret');
  });

  it('LetNobodyInWhoReplaysALink', async () => {
    const [first, second, between] = await apartBy((chunk) => chunk);
    const bytes = Buffer.concat(between.recorded());
    await first.kill();
    const before = lasting(await second.ask('STATUS'));
    for (let round = 0; round < 2; round++) {
      expect(await talk(second.address, bytes)).to.match(/^CHALLENGE .*\nERROR NOT_A_PEER /);
    }
    expect(lasting(await second.ask('STATUS'))).to.deep.equal(before);
    expect(warnings(second)).to.have.length(1);
  });

  it('CloseALinkOnWhichSomebodyChangesBytesAndSayItOnce', async () => {
    let changed = 0;
    let isChanging = false;
    const [first, second] = await apartBy((chunk) => {
      // The lines of a handshake pass: what is behind them is changed.
      if (!isChanging || /^[A-Z]{2}/.test(chunk.toString('latin1', 0, 2))) return chunk;
      changed++;
      const other = Buffer.from(chunk);
      other[other.length - 1]! ^= 1;
      return other;
    });
    const before = lasting(await second.ask('STATUS'));
    isChanging = true;
    await eventually(
      'links are closed again and again',
      () => changed,
      (count) => count >= 3,
    );
    expect(lasting(await second.ask('STATUS'))).to.deep.equal(before);
    expect(await second.ask('GET key')).to.equal('value');
    expect(warnings(second)).to.have.length(1);
    expect(warnings(second)[0]).to.include('a part with a wrong tag');
    isChanging = false;
    await eventually(
      'writes go on',
      () => first.ask('PUT key other'),
      (answer) => answer === 'OK',
    );
  });

  /** A pair, its link through a relay that may change what the primary sends. */
  async function apartBy(
    change: (chunk: Buffer) => Buffer,
  ): Promise<[ClusterNode, ClusterNode, { recorded: () => Buffer[] }]> {
    const words = secretFile('secret', SECRET);
    const first = await nodes.node('first', { options: words });
    const second = await nodes.node('second', { primary: first, options: words });
    let recorded: Buffer[] = [];
    const [host, port] = second.address.split(':') as [string, string];
    const relay = net.createServer((socket) => {
      const onward = net.connect(Number(port), host);
      const taken: Buffer[] = [];
      recorded = taken;
      socket.on('data', (chunk) => {
        taken.push(chunk);
        onward.write(change(chunk));
      });
      for (const [end, other] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        end.on('error', () => undefined);
        end.on('close', () => other.destroy());
      }
      onward.pipe(socket);
    });
    relays.push(relay);
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    await Promise.all([first.start(), second.start()]);
    const at = `127.0.0.1:${String((relay.address() as net.AddressInfo).port)}`;
    expect(await first.ask(`ADD_BACKUP ${at}`)).to.equal('OK state=learner');
    await first.untilStatus('has a member', ({ members }) => members.get(at)?.get('state') === 'member');
    expect(await first.ask('PUT key value')).to.equal('OK');
    await second.untilCaughtUpWith(first);
    return [first, second, { recorded: () => recorded }];
  }
});

/** What STATUS says of things that stay as they are. */
function lasting(status: string): string[] {
  return status
    .split('\n')
    .filter((line) => /^(role|term|position|commit|applied|members|cluster|node)=/.test(line));
}
