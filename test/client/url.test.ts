import { expect } from 'chai';
import { KvError } from '../../src/client/errors.js';
import { readOptions } from '../../src/client/options.js';
import type { ClientOptions } from '../../src/client/options.js';
import { parseUrl } from '../../src/client/url.js';
import { showAddress } from '../../src/protocol/address.js';

describe('a kv:// URL', () => {
  const shown = (text: string): string => {
    const addresses = parseUrl(text);
    return 'invalid' in addresses ? 'invalid' : addresses.map(showAddress).join(' ');
  };

  it('NamesOneOrSeveralServersWithAPortOrWithout', () => {
    const cases: [string, string][] = [
      ['kv://a:1', 'a:1'],
      ['kv://a', 'a:7001'],
      ['kv://a:1,b,127.0.0.1:3', 'a:1 b:7001 127.0.0.1:3'],
      ['kv://[::1]:5,[fe80::1%eth0],c', '[::1]:5 [fe80::1%eth0]:7001 c:7001'],
      ['KV://a/', 'a:7001'],
    ];
    for (const [url, addresses] of cases) expect(shown(url), url).to.equal(addresses);
  });

  it('IsRefusedWhenItIsNone', () => {
    const cases = [
      '',
      'kv:',
      'kv://',
      'kv://,a',
      'kv://a,',
      'kv://a:x',
      'kv://a:70000',
      'redis://a:1',
      'a:1',
    ];
    for (const url of [
      ...cases,
      'kv://u@a',
      'kv://a/db',
      'kv://a?x=1',
      'kv://::1',
      `kv://${'a,'.repeat(20_000)}a`,
    ]) {
      expect(shown(url), url.slice(0, 40)).to.equal('invalid');
    }
  });
});

describe('the servers of a client', () => {
  const addressesOf = (...given: Parameters<typeof readOptions>): string =>
    readOptions(...given)
      .addresses.map(showAddress)
      .join(' ');

  it('AreTheOptionElseKvUrlElseKvAddressElseTheDefault', () => {
    const environment = { KV_URL: 'kv://u:1,v:2', KV_ADDRESS: 'w:3' };
    expect(addressesOf({ address: 'a:1' }, environment)).to.equal('a:1');
    expect(addressesOf({ addresses: ['a:1', { host: '::1', port: 2 }] }, environment)).to.equal(
      'a:1 [::1]:2',
    );
    expect(addressesOf({ url: 'kv://a' }, environment)).to.equal('a:7001');
    expect(addressesOf({}, environment)).to.equal('u:1 v:2');
    expect(addressesOf({}, { ...environment, KV_URL: '' })).to.equal('w:3');
    expect(addressesOf({}, { KV_ADDRESS: '' })).to.equal('127.0.0.1:7001');
    expect(() => addressesOf({}, { KV_URL: 'w:3' })).to.throw('KV_URL');
  });

  it('CountOnceWhenNamedTwiceAndThenReadsGoThere', () => {
    const { addresses, reads } = readOptions({ url: 'kv://a,a:7001' }, {});
    expect([addresses.length, reads]).to.deep.equal([1, 'given']);
    expect(readOptions({ url: 'kv://a,b' }, {}).reads).to.equal('primary');
    expect(readOptions({ url: 'kv://a', reads: 'primary' }, {}).reads).to.equal('primary');
  });
});

describe('the options of a client', () => {
  const refusalOf = (options: unknown): string => {
    try {
      readOptions(options as ClientOptions, {});
      return 'taken';
    } catch (error) {
      return error instanceof KvError && error.code === 'BAD_OPTION' ? error.message : String(error);
    }
  };

  it('AreNeverPassedOver', () => {
    expect(refusalOf({ adress: 'a:1' })).to.match(
      /^there is no option "adress": there are address, addresses, url/,
    );
    for (const options of [null, 'kv://a', 5]) {
      expect(refusalOf(options)).to.equal(
        "createClient takes an object of options, such as { address: 'HOST:PORT' }",
      );
    }
    expect(refusalOf({ timeoutMs: '5' })).to.equal('timeoutMs is a number above 0 and at most 2147483647');
    expect(refusalOf({ reconnectDelayMinMs: '5' })).to.match(/^reconnectDelayMinMs is/);
    expect(refusalOf({ url: 'kv://a,,b' })).to.equal(
      '"kv://a,,b" has an empty address: write kv://host1:7001,host2:7002',
    );
    expect(refusalOf({ timeoutMs: undefined, url: undefined })).to.equal('taken');
  });
});
