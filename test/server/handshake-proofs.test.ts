import { expect } from 'chai';
import type { KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import type { ClusterId, NodeId } from '../../src/engine.js';
import type { PeerIdentity } from '../../src/node/ports.js';
import {
  challengeText,
  errorText,
  okText,
  openingText,
  proveText,
  withProof,
} from '../../src/server/handshake.js';
import { isProven, linkKey, linkKeys, prove, secretObjection } from '../../src/server/handshake-proofs.js';
import type { ProofLabel } from '../../src/server/handshake-proofs.js';
import { PartSeal } from '../../src/server/part-seal.js';
import { NONCE_A, NONCE_B, SECRET } from './hand-shake.js';

const CLUSTER = 'c2'.repeat(16) as ClusterId;
const OPENER: PeerIdentity = {
  node: 'a1'.repeat(16) as NodeId,
  cluster: CLUSTER,
  address: '127.0.0.1:7001',
  fsync: 'always',
  role: 'primary',
};
const LISTENER: PeerIdentity = {
  ...OPENER,
  node: 'b1'.repeat(16) as NodeId,
  address: '127.0.0.1:7002',
  role: 'backup',
};
/** Computed by another program, from the description in the protocol page, with Python's hmac and hashlib. */
const PROOFS = {
  listener: '52a6ae35874487b633651b4f4da83813d4c573a0c58d3a4996673b66cc7c410f',
  opener: '5c3f424c24ed4ba4e8549a7462519232aa7df336fa2c0de02d013ff5401c0526',
  accepted: '0db0c3fdb40804037b2fd671c3b0fadd7cf28363cea1cbe53c5b73578332af93',
  refused: 'fdbcd7f9cf82a2a5dc98e86136457d484c27690b08ddd6df7ea8d6ca1a7b79d2',
};
const OPENER_TO_LISTENER = '09844072087b0cb05e31089c800d09ddaee9e324bd4ad0f5d80d9c2462b1a2a5';
const LISTENER_TO_OPENER = '4ae90a39bfb05b5461bdb2256306e7d58411156e5377108e841ff9ef68a83378';
/** And these with AESGCM of its package cryptography: a part of 5 bytes, sent twice. */
const TAGS = ['12e923a1823e42dca0ca6a1c51ca13b2', 'c90aee3d94588a2aa304a23ac521d168'];

function hex(key: KeyObject): string {
  return key.export().toString('hex');
}

/** All that is said before the last line, and the proofs on the way. */
function upToTheLastLine(key: KeyObject): { said: string; proofs: string[] } {
  let said = `${openingText(NONCE_A, 'secret')}\n`;
  const proofs: string[] = [];
  const lines: [string, ProofLabel][] = [
    [challengeText(NONCE_B, 'secret'), 'listener'],
    [proveText(OPENER, LISTENER.node), 'opener'],
  ];
  for (const [text, label] of lines) {
    const proof = prove(key, label, said + text);
    proofs.push(proof);
    said += `${withProof(text, proof)}\n`;
  }
  return { said, proofs };
}

describe('The proofs of a handshake', () => {
  const key = linkKey(SECRET);

  it('AreTheOnesThatTheProtocolDescribes', () => {
    expect(hex(key)).to.equal('153724bfd191f9c177b65acd724debb9b871e482511e70b57cbbfe9b7a0ee45c');
    expect(hex(linkKey(Buffer.from(SECRET)))).to.equal(hex(key));
    const { said, proofs } = upToTheLastLine(key);
    const accepted = prove(key, 'accepted', said + okText(LISTENER));
    const refused = prove(key, 'refused', said + errorText({ code: 'WRONG_CLUSTER', message: 'no' }));
    expect([...proofs, accepted, refused]).to.deep.equal(Object.values(PROOFS));
    const whole = `${said}${withProof(okText(LISTENER), accepted)}\n`;
    const ofOpener = linkKeys(key, whole, true);
    const ofListener = linkKeys(key, whole, false);
    expect([hex(ofOpener.sending), hex(ofOpener.receiving)]).to.deep.equal([
      OPENER_TO_LISTENER,
      LISTENER_TO_OPENER,
    ]);
    expect([hex(ofListener.sending), hex(ofListener.receiving)]).to.deep.equal([
      LISTENER_TO_OPENER,
      OPENER_TO_LISTENER,
    ]);
    const seal = new PartSeal(ofOpener.sending);
    for (const tag of TAGS) {
      seal.begin();
      for (const piece of ['\u0005\0\0\0\0', '\u0001\0\0', 'hel', 'lo'])
        seal.add(Buffer.from(piece, 'latin1'));
      expect(seal.end().toString('hex')).to.equal(tag);
    }
  });

  it('HoldForTheirLabelTheirTextAndTheirKeyOnly', () => {
    const labels: ProofLabel[] = ['listener', 'opener', 'accepted', 'refused'];
    for (const label of labels) {
      const proof = prove(key, label, 'said');
      expect(isProven(key, label, 'said', proof)).to.equal(true);
      for (const other of labels) expect(isProven(key, other, 'said', proof)).to.equal(other === label);
      expect(isProven(key, label, 'Said', proof)).to.equal(false);
      expect(isProven(linkKey(`${SECRET}.`), label, 'said', proof)).to.equal(false);
      for (const cut of ['', 'none', proof.slice(2), `${proof}00`, `zz${proof.slice(2)}`]) {
        expect(isProven(key, label, 'said', cut), cut).to.equal(false);
      }
    }
  });

  it('NeedASecretOf16To4096Bytes', () => {
    const bounds = [0, 15, 16, 4096, 4097].map((length) => secretObjection('x'.repeat(length)));
    expect(bounds.map((objection) => objection === undefined)).to.deep.equal([
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(bounds[1]).to.include('openssl rand -hex 32').and.not.include('xxx');
    expect(secretObjection('\u20ac'.repeat(6)), 'bytes, not letters').to.equal(undefined);
  });

  it('AreNotShownByWhoeverPrintsTheKey', () => {
    const keys = linkKeys(key, 'said', true);
    for (const text of [JSON.stringify({ key, keys }), inspect({ key, keys })]) {
      expect(text).to.not.include(hex(key).slice(0, 8)).and.not.include(hex(keys.sending).slice(0, 8));
    }
  });
});
