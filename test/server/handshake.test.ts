import { expect } from 'chai';
import type { ClusterId, NodeId } from '../../src/engine.js';
import type { PeerIdentity } from '../../src/node/ports.js';
import {
  challengeText,
  errorText,
  okText,
  openingText,
  parseAnswer,
  parseChallenge,
  parseError,
  parseOpening,
  parseProve,
  proveText,
  splitProof,
  withProof,
} from '../../src/server/handshake.js';
import { NONCE_A } from './hand-shake.js';

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
  return line.split(' ').slice(1);
}

describe('The lines of a handshake', () => {
  for (const peer of [PEER, UNADOPTED]) {
    it(`SayWhoIsThere: ${peer.address}`, () => {
      expect(parseProve(proveText(peer, NODE))).to.deep.equal({ peer, to: NODE });
      expect(parseProve(proveText(peer, undefined))).to.deep.equal({ peer, to: undefined });
      expect(parseAnswer(okText(peer))).to.deep.equal(peer);
    });
  }

  for (const auth of ['secret', 'none'] as const) {
    it(`BeginWithANonceAndNothingAboutTheNode: ${auth}`, () => {
      const line = openingText(NONCE_A, auth);
      expect(parseOpening(words(line))).to.deep.equal({ nonce: NONCE_A, auth, line });
      expect(parseChallenge(challengeText(NONCE_A, auth))).to.deep.equal({ nonce: NONCE_A, auth });
    });
  }

  it('AreWhatTheProtocolDescribes', () => {
    const who = `cluster=${CLUSTER} node=${NODE} address=[::1]:7001 fsync=everysec role=primary`;
    expect(openingText(NONCE_A, 'secret')).to.equal(`REPLICATE version=3 nonce=${NONCE_A} auth=secret`);
    expect(challengeText(NONCE_A, 'none')).to.equal(`CHALLENGE version=3 nonce=${NONCE_A} auth=none`);
    expect(proveText(PEER, NODE)).to.equal(`PROVE ${who} to=${NODE}`);
    expect(okText(PEER)).to.equal(`OK ${who}`);
    expect(withProof('OK x', undefined)).to.equal('OK x proof=none');
  });

  it('EndWithOneProof', () => {
    const proof = 'ab'.repeat(32);
    expect(splitProof(withProof('ERROR BUSY a b', proof))).to.deep.equal({ text: 'ERROR BUSY a b', proof });
    expect(splitProof('ERROR BUSY proof=none proof=none')).to.deep.equal({
      text: 'ERROR BUSY proof=none',
      proof: 'none',
    });
    for (const line of ['OK', 'OK proof=', `OK proof=${proof}0`, `OK proof=${proof.toUpperCase()}`, '']) {
      expect(splitProof(line), line).to.equal(undefined);
    }
  });

  it('PassOverWhatALaterReleaseAdds', () => {
    const opening = parseOpening([...words(openingText(NONCE_A, 'none')), 'zone=b']);
    expect(opening)
      .to.have.property('line')
      .that.matches(/ zone=b$/);
    expect(parseProve(`${proveText(PEER, undefined)} zone=b`)).to.have.property('peer');
  });

  it('NameAnotherVersion', () => {
    const other = openingText(NONCE_A, 'none').replace('version=3', 'version=4');
    const opening = parseOpening(words(other)) as { fault: string; isOfNode: boolean };
    expect(opening.fault).to.match(/version 3 here and in version 4 there/);
    expect(opening.isOfNode).to.equal(true);
    const first = parseOpening(words(`REPLICATE version=1 node=${NODE}`)) as { fault: string };
    expect(first.fault).to.match(/version 3 here and in version 1 there/);
    expect(parseChallenge(challengeText(NONCE_A, 'none').replace('=3', '=4'))).to.match(/version 4 there/);
  });

  const openings: readonly (readonly [string, string])[] = [
    ['version=3 ', ''],
    [NONCE_A, NONCE_A.toUpperCase()],
    [NONCE_A, NONCE_A.slice(1)],
    [`nonce=${NONCE_A} `, ''],
    ['auth=none', 'auth=some'],
    [' auth=none', ''],
    ['auth=none', 'auth=none auth=none'],
    ['auth=none', 'auth=none and more'],
  ];
  for (const [from, to] of openings) {
    it(`DoNotOpenALinkWith ${JSON.stringify(to)} for ${from}`, () => {
      const line = openingText(NONCE_A, 'none').replace(from, to);
      expect(parseOpening(words(line))).to.have.property('fault');
    });
  }

  it('DoNotOpenALinkWithAWordThatCanBeReadInTwoWays', () => {
    const [version, nonce, auth] = words(openingText(NONCE_A, 'none'));
    for (const word of [`x=a b`, 'x=\u00e9', 'x=\n', '']) {
      expect(parseOpening([version!, nonce!, auth!, word]), word).to.have.property('fault');
    }
  });

  const changes: readonly (readonly [string, string])[] = [
    ['PROVE', 'OK'],
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
    it(`DoNotProveAnythingWith ${JSON.stringify(to)} for ${from}`, () => {
      expect(parseProve(proveText(PEER, undefined).replace(from, to))).to.be.a('string');
    });
  }

  it('ARefusalComesThroughOnOneLine', () => {
    const line = errorText({ code: 'WRONG_CLUSTER', message: 'no\nOK \u001b[31m' });
    expect(line).to.not.include('\n');
    expect(parseAnswer(line)).to.deep.equal({ code: 'WRONG_CLUSTER', message: 'no OK  [31m' });
    for (const letter of ['x', '\u20ac', '\u{1f600}']) {
      const long = withProof(errorText({ code: 'BUSY', message: letter.repeat(5000) }), 'a'.repeat(64));
      expect(Buffer.byteLength(long)).to.be.lessThan(1023);
    }
  });

  it('AServerThatKnowsNoLinksIsNoPeer', () => {
    const answer = parseError('ERROR UNKNOWN_COMMAND there is no command REPLICATE');
    expect(answer).to.have.property('code', 'NOT_A_PEER');
  });

  for (const line of ['', 'OK', 'PONG', 'OK a b', 'ERROR', 'ERROR BUSY', 'ERROR WHAT x', 'SSH-2.0-x']) {
    it(`IsNoAnswer: ${JSON.stringify(line)}`, () => {
      expect(parseAnswer(line)).to.equal(undefined);
      expect(parseChallenge(line)).to.equal(undefined);
    });
  }
});
