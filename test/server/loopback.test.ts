import { expect } from 'chai';
import { isLoopbackAddress, lookUpLoopback } from '../../src/server/loopback.js';

type Found = string | readonly { readonly address: string }[] | null;

function lookUp(name: string, all: boolean): Promise<{ code: string | undefined; found: Found }> {
  return new Promise((resolve) => {
    lookUpLoopback(name, { all }, (error, found) => resolve({ code: error?.code, found }));
  });
}

describe('Loopback', () => {
  it('IsWhereOnlyThisMachineCanBe', () => {
    for (const address of ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1']) {
      expect(isLoopbackAddress(address), address).to.equal(true);
    }
    for (const address of [
      '0.0.0.0',
      '126.255.255.255',
      '128.0.0.1',
      '::',
      '::2',
      '::ffff:10.1.1.1',
      'localhost',
      '',
    ]) {
      expect(isLoopbackAddress(address), address).to.equal(false);
    }
  });

  it('IsAllThatANameMayLeadTo', async () => {
    const { code, found } = await lookUp('localhost', true);
    expect(code).to.equal(undefined);
    for (const { address } of found as { address: string }[])
      expect(isLoopbackAddress(address)).to.equal(true);
    expect((await lookUp('localhost', false)).found).to.satisfy(isLoopbackAddress);
    // An address is a name that leads to itself.
    for (const all of [true, false]) {
      expect(await lookUp('192.0.2.1', all)).to.have.property('code', 'ENOTLOOPBACK');
      expect((await lookUp('no-such-host.invalid', all)).code).to.match(/ENOTFOUND|EAI_AGAIN/);
    }
  });
});
