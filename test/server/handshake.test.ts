import { expect } from 'chai';
import type { ClusterId, NodeId } from '../../src/engine.js';
import type { PeerIdentity } from '../../src/node/ports.js';
import { errorLine, helloLine, okLine, parseAnswer, parseHello } from '../../src/server/handshake.js';

const NODE = 'a1'.repeat(16) as NodeId;
const CLUSTER = 'c2'.repeat(16) as ClusterId;
const PEER: PeerIdentity = {
  node: NODE,
  cluster: CLUSTER,
  address: '[::1]:7001',
  fsync: 'everysec',
  role: 'primary',
};
const UNADOPTED: PeerIdentity = {
  ...PEER,
  cluster: undefined,
  address: 'db-1.example:7002',
  fsync: 'off',
  role: 'backup',
};

function words(line: string): string[] {
  return line.trimEnd().split(' ').slice(1);
}

describe('The handshake', () => {
  for (const peer of [PEER, UNADOPTED]) {
    it(`SaysWhoIsThere: ${peer.address}`, () => {
      expect(parseHello(words(helloLine(peer, NODE)))).to.deep.equal({ peer, to: NODE });
      expect(parseHello(words(helloLine(peer, undefined)))).to.deep.equal({ peer, to: undefined });
      expect(parseAnswer(okLine(peer).trimEnd())).to.deep.equal(peer);
    });
  }

  it('IsTheLineThatTheProtocolDescribes', () => {
    const hello = `version=1 cluster=${CLUSTER} node=${NODE} address=[::1]:7001 fsync=everysec role=primary`;
    expect(helloLine(PEER, NODE)).to.equal(`REPLICATE ${hello} to=${NODE}\n`);
    expect(okLine(PEER)).to.equal(`OK ${hello}\n`);
  });

  it('PassesOverWhatALaterReleaseAdds', () => {
    expect(parseHello([...words(helloLine(PEER, undefined)), 'zone=b'])).to.have.property('peer');
  });

  it('NamesAnotherVersion', () => {
    const line = helloLine(PEER, undefined).replace('version=1', 'version=2');
    expect(parseHello(words(line))).to.match(/version 1 here and in version 2 there/);
  });

  const changes: readonly (readonly [string, string])[] = [
    ['version=1 ', ''],
    [`cluster=${CLUSTER}`, 'cluster=x'],
    [`node=${NODE}`, `node=${NODE.toUpperCase()}`],
    [`node=${NODE}`, `node=${NODE} node=${NODE}`],
    ['[::1]:7001', '[::1]:0'],
    ['[::1]:7001', 'nowhere'],
    ['fsync=everysec', 'fsync=never'],
    ['role=primary', 'role=king'],
    [' role=primary', ''],
    ['to=any', 'to=you'],
    [' to=any', ''],
    ['to=any', 'to=any and more'],
  ];
  for (const [from, to] of changes) {
    it(`RefusesAHelloWith ${JSON.stringify(to)} for ${from}`, () => {
      const line = helloLine(PEER, undefined).replace(from, to);
      expect(parseHello(words(line))).to.be.a('string');
    });
  }

  it('ARefusalComesThroughOnOneLine', () => {
    const line = errorLine({ code: 'WRONG_CLUSTER', message: 'no\nOK \u001b[31m' });
    expect(line.split('\n')).to.have.length(2);
    expect(parseAnswer(line.trimEnd())).to.deep.equal({ code: 'WRONG_CLUSTER', message: 'no OK  [31m' });
    expect(errorLine({ code: 'BUSY', message: 'x'.repeat(5000) }).length).to.be.lessThan(1024);
  });

  it('AServerThatKnowsNoLinksIsNoPeer', () => {
    const answer = parseAnswer('ERROR UNKNOWN_COMMAND there is no command REPLICATE');
    expect(answer).to.have.property('code', 'NOT_A_PEER');
  });

  for (const line of ['', 'OK', 'PONG', 'OK a b', 'ERROR', 'ERROR BUSY', 'ERROR WHAT x', 'SSH-2.0-x']) {
    it(`IsNoAnswer: ${JSON.stringify(line)}`, () => {
      expect(parseAnswer(line)).to.equal(undefined);
    });
  }
});
