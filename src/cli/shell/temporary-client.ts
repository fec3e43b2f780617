import { Caller } from '../../client/caller.js';
import type { Address } from '../../client/address.js';
import { systemClock } from '../../clock.js';
import { encodeRequest } from '../../protocol/line-request.js';
import type { CommandClient } from './session.js';
import type { CommandReply } from './replies.js';

export function temporaryClient(address: Address): CommandClient {
  const caller = new Caller({
    address,
    timeoutMs: 5000,
    callsMax: 1000,
    requestBytesMax: 2 ** 30,
    clock: systemClock,
  });
  return {
    command: (words, options) => {
      const name = words[0]?.toString().toUpperCase() ?? '';
      const shape = ['KEYS', 'MGET', 'STATUS', 'SCAN'].includes(name) ? 'list' : 'single';
      const effect = ['PUT', 'MSET', 'DEL', 'DELETE'].includes(name) ? 'writes' : 'reads';
      return caller.call(
        () => ({ bytes: encodeRequest(name, words.slice(1)), shape, effect }),
        (reply): CommandReply => {
          if (reply === undefined) throw new Error('none');
          if (reply.kind !== 'list') return reply;
          return {
            kind: 'list',
            items: reply.items.map((bytes) =>
              bytes === undefined ? { kind: 'null' } : { kind: 'value', bytes },
            ),
          };
        },
        {
          ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        },
      );
    },
    close: () => caller.close(),
  };
}
