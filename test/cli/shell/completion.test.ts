import { expect } from 'chai';
import { complete } from '../../../src/cli/shell/completion.js';
import { keysWithPrefix } from '../../../src/cli/shell/key-lookup.js';
import type { KvReply } from '../../../src/client/reply.js';
import type { Bytes } from '../../../src/client/requests.js';
import type { Clock } from '../../../src/clock.js';

const value = (text: string): KvReply => ({ kind: 'value', bytes: Buffer.from(text, 'latin1') });

/** A clock that goes on by this much each time that it is looked at. */
function clockWith(stepMs: number): Clock {
  let nowMs = 0;
  const never = (): never => {
    throw new Error('nobody waits here');
  };
  return { nowMs: () => (nowMs += stepMs), after: never, every: never, nextTurn: never };
}

/** A server whose pages of keys a test writes down. */
function serverWith(...pages: readonly (readonly string[])[]) {
  const asked: string[] = [];
  return {
    asked,
    ask(words: readonly Bytes[]): Promise<KvReply | undefined> {
      asked.push(words.map((word) => Buffer.from(word).toString('latin1')).join(' '));
      if (words[0] === 'STATUS') {
        const items = [
          'role=primary',
          'member=a:1 role=primary state=member',
          'member=b:2 role=backup state=member',
        ];
        return Promise.resolve({ kind: 'list', items: items.map(value) });
      }
      const at = asked.length;
      const page = pages[at - 1];
      if (page === undefined) return Promise.resolve(undefined);
      const cursor = at === pages.length ? '0' : String(at);
      const list: KvReply = { kind: 'list', items: page.map(value) };
      return Promise.resolve({ kind: 'list', items: [value(cursor), list] });
    },
  };
}

async function candidates(line: string, ...pages: string[][]): Promise<string[]> {
  const [found] = await complete(line, serverWith(...pages), clockWith(0));
  return found;
}

describe('Completion in the shell', () => {
  it('CompletesCommandsAsTheyAreTyped', async () => {
    expect(await candidates('DE')).to.deep.equal(['DELETE', 'DEL']);
    expect(await candidates('de')).to.deep.equal(['delete', 'del']);
    expect(await candidates('hear')).to.deep.equal(['heartbeat ']);
    expect(await candidates('  Con')).to.include.members(['CONNECT', 'CONFIG']);
    expect(await candidates('help he')).to.deep.equal(['heartbeat', 'help']);
    expect(await candidates('help help ')).to.deep.equal([]);
    expect(await candidates(''))
      .to.include.members(['GET', 'EXIT'])
      .and.not.include('HELLO');
  });

  it('CompletesKeysWhereTheyStand', async () => {
    expect(await candidates('GET my', ['mykey'])).to.deep.equal(['mykey ']);
    expect(await candidates('get my', ['mykey', 'mykeys'])).to.deep.equal(['mykey', 'mykeys']);
    expect(await candidates('MSET a 1 my', ['mykey'])).to.deep.equal(['mykey ']);
    expect(await candidates('MSET a my', ['mykey'])).to.deep.equal([]);
    expect(await candidates('PUT a my', ['mykey'])).to.deep.equal([]);
    expect(await candidates('GET a my', ['mykey'])).to.deep.equal([]);
    expect(await candidates('DEL a b ', ['c'])).to.deep.equal(['c ']);
    expect(await candidates('FOO my', ['mykey'])).to.deep.equal([]);
  });

  it('WritesKeysSoThatTheyCanBeGivenBack', async () => {
    expect(await candidates('GET a', ['a b'])).to.deep.equal(['"a b" ']);
    expect(await candidates('GET "a', ['ab'])).to.deep.equal(['"ab" ']);
    expect(await candidates('GET a', ['ab c', 'abd'])).to.deep.equal(['"ab c"', '"abd"']);
    expect(await candidates('GET a', ['a b', 'acd'])).to.deep.equal(['"a b"', 'acd']);
    expect(await candidates('GET x', ['x\u001b[2J'])).to.deep.equal(['"x\\x1b[2J" ']);
    expect(await candidates('GET x', ['x\xff'])).to.deep.equal(['"x\\xff" ']);
    expect(await candidates('GET "a\\', ['a'])).to.deep.equal([]);
  });

  it('AsksForWhatWasTypedAndNotForAPattern', async () => {
    const server = serverWith([]);
    await complete('GET "a*[b] \\\\', server, clockWith(0));
    expect(server.asked).to.deep.equal(['SCAN 0 MATCH a\\*\\[b\\] \\\\* COUNT 10000']);
  });

  it('CompletesFurtherWordsInTheirOrder', async () => {
    expect(await candidates('PROMOTE ')).to.deep.equal(['OTHERS_ARE_DOWN ']);
    expect(await candidates('promote o')).to.deep.equal(['others_are_down ']);
    expect(await candidates('PROMOTE OTHERS_ARE_DOWN ')).to.deep.equal(['ACCEPT_DATA_LOSS ']);
    expect(await candidates('PROMOTE ACC')).to.deep.equal([]);
    expect(await candidates('SCAN 0 ')).to.deep.equal(['MATCH', 'COUNT']);
    expect(await candidates('SCAN 0 match a* ')).to.deep.equal(['COUNT ']);
  });

  it('KnowsWhereTheMembersAre', async () => {
    expect(await candidates('CONNECT ')).to.deep.equal(['a:1', 'b:2']);
    expect(await candidates('REMOVE_BACKUP ')).to.deep.equal(['b:2 ']);
    expect(await candidates('REMOVE_BACKUP b:2 ')).to.deep.equal(['BACKUP_IS_DOWN ']);
  });

  it('FillsInNothingWhereThereMayBeMore', async () => {
    const many = Array.from({ length: 101 }, (_, at) => `key${String(at)}`);
    const found = await candidates('GET k', many);
    expect(found).to.have.length(101);
    expect(found.at(-1)).to.equal('…');
    expect(await candidates('GET k', many.slice(0, 100)))
      .to.have.length(100)
      .and.not.include('…');
  });

  it('SaysNothingWhenTheServerDoesNot', async () => {
    expect(await candidates('GET k')).to.deep.equal([]);
    expect(await candidates('CONNECT x')).to.deep.equal([]);
  });
});

describe('The lookup of keys', () => {
  const bounds = { keysMax: 100, timeoutMs: 500 };
  const found = async (server: ReturnType<typeof serverWith>, stepMs = 0, prefix = 'k') => {
    const clock = clockWith(stepMs);
    const { keys, isPartial } = await keysWithPrefix(server, Buffer.from(prefix), bounds, () =>
      clock.nowMs(),
    );
    return [keys.map(String), isPartial];
  };

  it('WalksToTheEndAndNamesEachKeyOnce', async () => {
    const server = serverWith(['k1', 'k2'], [], ['k2', 'k3']);
    expect(await found(server)).to.deep.equal([['k1', 'k2', 'k3'], false]);
    expect(server.asked.map((line) => line.split(' ')[1])).to.deep.equal(['0', '1', '2']);
  });

  it('EndsWithItsTimeAndKeepsWhatItHas', async () => {
    const server = serverWith(['k1'], ['k2'], ['k3'], ['k4']);
    expect(await found(server, 250)).to.deep.equal([['k1', 'k2'], true]);
  });

  it('IsPartialWhenAPageDoesNotCome', async () => {
    const server = serverWith(['k1'], ['k2']);
    const silent = {
      ...server,
      ask: (words: readonly Bytes[]) =>
        words[1]?.toString() === '0' ? server.ask(words) : Promise.resolve(undefined),
    };
    expect(await found(silent)).to.deep.equal([['k1'], true]);
  });

  it('DoesNotAskWithAPatternThatTheServerWouldRefuse', async () => {
    const server = serverWith(['k']);
    expect(await found(server, 0, 'k'.repeat(255))).to.deep.equal([['k'], false]);
    expect(await found(serverWith(['k']), 0, 'k'.repeat(256))).to.deep.equal([[], true]);
  });
});
