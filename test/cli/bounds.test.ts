import { expect } from 'chai';
import { BOUND_OPTIONS } from '../../src/cli/bounds.js';
import type { ServerBounds } from '../../src/cli/bounds.js';
import { readCommandLine } from '../../src/cli/command-line.js';
import { readServerOptions } from '../../src/cli/commands/server.js';
import { UsageError } from '../../src/cli/exit.js';
import { helpText } from '../../src/cli/help.js';
import { parseBytes, shortBytes } from '../../src/cli/quantity.js';
import { StartFault, startServer } from '../../src/cli/start-server.js';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** What `kv server` makes of these words. */
function bounds(line: string): ServerBounds {
  const read = readCommandLine(['server', ...line.split(' ').filter((word) => word !== '')]);
  if (read.kind !== 'run') throw new UsageError(JSON.stringify(read));
  return readServerOptions(read.invocation, {});
}

/** Everything large enough not to be in the way of a smaller bound, and small enough not to be of a larger one. */
const WIDE = '--request-bytes-max 256MiB --unread-reply-bytes-max 1GiB --buffer-bytes-max 4GiB';

describe('The bounds of kv server', () => {
  const cases: readonly (readonly [
    name: string,
    around: string,
    min: number,
    max: number,
    read: (given: ServerBounds) => number | undefined,
  ])[] = [
    ['key-bytes-max', WIDE, 1, MIB, ({ limits }) => limits.request.keyBytesMax],
    ['value-bytes-max', WIDE, 1, 80 * MIB, ({ limits }) => limits.request.valueBytesMax],
    [
      'request-bytes-max',
      '--key-bytes-max 1 --value-bytes-max 1',
      4 * KIB,
      256 * MIB,
      ({ limits }) => limits.request.requestBytesMax,
    ],
    ['request-words-max', '', 16, 4_194_304, ({ limits }) => limits.request.wordsMax],
    ['connections-max', '', 1, 1_000_000, ({ limits }) => limits.connectionsMax],
    ['incomplete-request-timeout', '', 1, 86_400, ({ limits }) => limits.incompleteRequestMs / 1000],
    [
      'unread-reply-bytes-max',
      '--value-bytes-max 1KiB',
      2 * MIB,
      GIB,
      ({ limits }) => limits.unreadReplyBytesMax,
    ],
    [
      'buffer-bytes-max',
      '--value-bytes-max 1KiB --request-bytes-max 1MiB --unread-reply-bytes-max 2MiB',
      2 * MIB,
      1024 * GIB,
      ({ limits }) => limits.bufferBytesMax,
    ],
    ['data-bytes-max', '', KIB, 2 ** 50, ({ dataBytesMax }) => dataBytesMax],
    [
      'reads-behind-max',
      '',
      3,
      86_400,
      ({ readsBehindMaxMs }) => readsBehindMaxMs && readsBehindMaxMs / 1000,
    ],
    ['session-idle', '', 1, 30 * 86_400, ({ sessionIdleMs }) => sessionIdleMs / 1000],
  ];

  it('AreAllTested', () => {
    expect(cases.map(([name]) => name)).to.have.members(BOUND_OPTIONS.map(({ name }) => name));
  });

  for (const [name, around, min, max, read] of cases) {
    it(`TakesItsLeastAndItsMost --${name}`, () => {
      for (const value of [min, max]) {
        expect(read(bounds(`${around} --${name} ${String(value)}`)), String(value)).to.equal(value);
      }
      for (const value of [String(min - 1), String(max + 1), '-1', 'x', '1e3', '0x10', '1KB', '1.5.1', '']) {
        const line = `${around} --${name}=${value}`;
        expect(() => bounds(line), line).to.throw(UsageError, `--${name}`);
      }
    });
  }

  it('AreSizesWithOrWithoutAUnit', () => {
    for (const [text, bytes] of [
      ['0', 0],
      ['65536', 65_536],
      ['64KiB', 65_536],
      ['64kib', 65_536],
      ['64 KiB', 65_536],
      ['1.5MiB', 1.5 * MIB],
      ['2GiB', 2 * GIB],
      ['1TiB', 1024 * GIB],
      ['10B', 10],
    ] as const) {
      expect(parseBytes(text), text).to.equal(bytes);
    }
    for (const text of [
      '',
      'KiB',
      '1k',
      '1M',
      '1MB',
      '0.3KiB',
      '-1',
      '1e6',
      '1,000',
      '9007199254740993',
      ' 1',
    ]) {
      expect(parseBytes(text), text).to.equal(undefined);
    }
    for (const bytes of [0, 1, 1023, 1024, 1025, 1536, 67_239_936, 80 * MIB, 2 ** 50]) {
      expect(parseBytes(shortBytes(bytes)), String(bytes)).to.equal(bytes);
    }
  });

  it('ThatContradictEachOtherAreRefusedWithTheWayOut', () => {
    for (const [line, says] of [
      ['--value-bytes-max 80MiB', 'give --request-bytes-max'],
      ['--key-bytes-max 1MiB', 'give --request-bytes-max'],
      ['--request-bytes-max 1MiB', 'make the other smaller'],
      ['--unread-reply-bytes-max 64MiB', '--unread-reply-bytes-max 65MiB or more'],
      ['--buffer-bytes-max 64MiB', 'give --buffer-bytes-max 65664KiB or more'],
      ['--buffer-bytes-max 128MiB', '--unread-reply-bytes-max 256MiB is more than all buffers hold'],
    ] as const) {
      expect(() => bounds(line), line).to.throw(UsageError, says);
    }
    const pair = '--key-bytes-max 2KiB --value-bytes-max 2KiB --request-bytes-max';
    expect(bounds(`${pair} 5120`).limits.request.requestBytesMax).to.equal(5120);
    expect(() => bounds(`${pair} 5119`)).to.throw(UsageError, 'give --request-bytes-max 5KiB or more');
  });

  it('AreHeldAgainstWhatCanBeCarriedAlsoWhenTheLibraryStartsAServer', async () => {
    const address = { host: '127.0.0.1', port: 0 };
    const { request } = DEFAULT_SERVER_LIMITS;
    for (const [options, says] of [
      [{ limits: { request: { ...request, valueBytesMax: 80 * MIB + 1 } } }, 'valueBytesMax'],
      [{ limits: { request: { ...request, requestBytesMax: 256 * MIB + 1 } } }, 'requestBytesMax'],
      [{ limits: { request: { ...request, keyBytesMax: 0 } } }, 'keyBytesMax'],
      [{ dataBytesMax: NaN }, 'dataBytesMax'],
      [{ readsBehindMaxMs: -1 }, 'readsBehindMaxMs'],
    ] as const) {
      const outcome = await startServer({ address, dbPath: '/nowhere/kv-store.json', ...options }).then(
        () => 'started',
        (error: unknown) => error,
      );
      expect(outcome).to.be.instanceOf(StartFault);
      expect(String(outcome)).to.include(says);
    }
  });

  it('StandUnderAHeadingOfTheirOwn', () => {
    const read = readCommandLine(['help', 'server']);
    const text = helpText(read.kind === 'help' ? read.command : undefined, 80);
    const [, section = ''] = text.split('\nBounds:\n');
    const listed = section
      .split('\n\n')[0]!
      .split('\n')
      .flatMap((row) => /^ {2}(--[a-z-]+)/.exec(row)?.[1] ?? []);
    expect(listed).to.deep.equal(BOUND_OPTIONS.map(({ name }) => `--${name}`));
  });
});
