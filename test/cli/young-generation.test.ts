import { spawnSync } from 'node:child_process';
import { expect } from 'chai';

const MODULE = new URL('../../src/cli/young-generation.js', import.meta.url).href;
const MIB = 1024 * 1024;

/** How large the room for what lives shortest is in a process that does this, after it has made much that lives for a while. */
function youngBytesAfter(work: string): number {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { boundYoungGeneration } from ${JSON.stringify(MODULE)};
    ${work}
    for (let kept = [], at = 0; at < 3e6; at++) {
      if (kept.push({ at, of: [at] }) > 2e5) kept = [];
    }
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    process.stdout.write(String(young.space_size));
  `;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return Number(stdout);
}

describe('The room for what lives shortest', () => {
  it('GrowsNoFurtherThanABoundOnceItIsSaid', () => {
    expect(youngBytesAfter('')).to.be.greaterThan(16 * MIB);
    expect(youngBytesAfter('boundYoungGeneration();')).to.be.within(4 * MIB, 8 * MIB);
  });
});
