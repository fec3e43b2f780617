import { expect } from 'chai';
import { linkFixture, nodeId } from './linked-node.js';

describe('A link is refused', () => {
  const fixture = linkFixture();

  it('UnderTheIdentityOfANodeThatIsLinkedFromElsewhereUntilThatOneHasEnded', async () => {
    const b = await fixture.node({ id: nodeId('b') });
    const original = await fixture.node();
    original.links.reach([b.peer]);
    await original.link();
    const copy = await fixture.node({ id: original.id });
    copy.links.reach([b.peer]);
    const refused = await copy.refusal();
    expect(refused.code).to.equal('NOT_A_PEER');
    expect(refused.message).to.include(original.address).and.include('may not run beside it');
    expect([original.count('down'), b.count('up')]).to.deep.equal([0, 1]);
    await original.stop();
    await copy.link();
  });
});
