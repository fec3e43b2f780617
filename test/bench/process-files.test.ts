import { expect } from 'chai';
import {
  parseEndedChildrenTicks,
  parseMemoryStatus,
  parseProcessorTicks,
  parseProportionalBytes,
} from '../../bench/process-files.js';

const STATUS = `Name:	redis-server
Umask:	0022
State:	S (sleeping)
VmPeak:	  160780 kB
VmSize:	   95244 kB
VmHWM:	   15540 kB
VmRSS:	   12192 kB
RssAnon:	    3968 kB
Threads:	6
`;

const ROLLUP = `5583e8a00000-7ffd0c3f9000 ---p 00000000 00:00 0                          [rollup]
Rss:               12192 kB
Pss:                8711 kB
Pss_Dirty:          4012 kB
`;

const STAT =
  '4242 (redis-server) S 1 4242 4242 0 -1 4194560 3321 0 1 0 317 45 7 9 20 0 6 0 1234 97529856 3048 ' +
  '18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n';

describe('What a bench reads under /proc', () => {
  it('ResidentMemoryAndItsPeakAreInBytes', () => {
    expect(parseMemoryStatus(STATUS)).to.deep.equal({
      residentBytes: 12192 * 1024,
      peakResidentBytes: 15540 * 1024,
    });
  });

  it('TheProportionalSizeIsNotItsDirtyPart', () => {
    expect(parseProportionalBytes(ROLLUP)).to.equal(8711 * 1024);
  });

  it('AProcessThatHasEndedHasNoMemory', () => {
    expect(() => parseMemoryStatus('Name:\tredis-server\nState:\tZ (zombie)\n')).to.throw('has ended');
  });

  it('ProcessorTimeIsThatOfTheProcessWithoutItsChildren', () => {
    expect(parseProcessorTicks(STAT)).to.equal(317 + 45);
  });

  it('ProcessorTimeOfChildrenIsThatOfThoseThatHaveEnded', () => {
    expect(parseEndedChildrenTicks(STAT)).to.equal(7 + 9);
  });

  it('ANameWithBlanksAndParenthesesMovesNoField', () => {
    expect(parseProcessorTicks(STAT.replace('(redis-server)', '(a (b) c)'))).to.equal(362);
  });

  it('ALineThatIsCutShortIsNoFigure', () => {
    expect(() => parseProcessorTicks('4242 (redis-server) S 1 4242')).to.throw('no line of /proc/PID/stat');
  });
});
