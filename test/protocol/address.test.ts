import { expect } from 'chai';
import fc from 'fast-check';
import { isIPv4, isIPv6 } from 'node:net';
import { parseAddress, showAddress } from '../../src/protocol/address.js';

describe('address', () => {
  it('HostAndPortAreRead', () => {
    expect(parseAddress('127.0.0.1:7001')).to.deep.equal({ host: '127.0.0.1', port: 7001 });
    expect(parseAddress('db-1.example.org:1')).to.deep.equal({ host: 'db-1.example.org', port: 1 });
    expect(parseAddress('localhost:0')).to.deep.equal({ host: 'localhost', port: 0 });
    expect(parseAddress('localhost:65535')).to.deep.equal({ host: 'localhost', port: 65535 });
  });

  it('IPv6StandsInBrackets', () => {
    const address = { host: '::1', port: 7001 };
    expect(parseAddress('[::1]:7001')).to.deep.equal(address);
    expect(showAddress(address)).to.equal('[::1]:7001');
  });

  it('EveryFormOfAnIPv6AddressIsRead', () => {
    for (const host of ['::', '1:2:3:4:5:6:7:8', '::ffff:127.0.0.1', 'fe80::1%eth0', 'FE80::A', '1::8']) {
      expect(isIPv6(host), host).to.equal(true);
      expect(parseAddress(`[${host}]:1`), host).to.deep.equal({ host, port: 1 });
      expect(showAddress({ host, port: 1 })).to.equal(`[${host}]:1`);
    }
  });

  it('AgreesWithTheSystemOnWhatAnIPAddressIs', () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abf:.%')), maxLength: 24 });
    const address = fc.oneof(word, fc.ipV6(), fc.ipV4Extended(), fc.ipV4());
    fc.assert(
      fc.property(address, (text) => {
        const bracketed = parseAddress(`[${text}]:1`);
        if (!text.includes('%')) expect('host' in bracketed, text).to.equal(isIPv6(text));
        if (/^[\d.]+$/.test(text)) expect('host' in parseAddress(`${text}:1`), text).to.equal(isIPv4(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('WhatNamesNoAddressIsRefusedWithAWayOut', () => {
    const refused = [
      '',
      ':',
      ':7001',
      'localhost',
      'localhost:',
      'localhost:x',
      'localhost:65536',
      'localhost:-1',
      'localhost:1e3',
      'localhost: 1',
      '1.2.3:7001',
      '256.1.1.1:7001',
      '::1:7001',
      '::1',
      '[::1]',
      '[localhost]:7001',
      '[]:7001',
      'a b:7001',
      '-x:7001',
      'http://localhost:7001',
      'localhost:7001/',
      'ho\nst:1',
      `${'a'.repeat(400)}:1`,
    ];
    for (const text of refused) {
      const address = parseAddress(text);
      expect(address, text).to.have.property('invalid');
      if ('invalid' in address) expect(address.invalid, text).not.to.include('\n');
    }
  });
});
