import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../src/clock.js';
import { Replies } from '../../src/server/replies.js';
import { until } from '../node/engine-fixture.js';

/** Short, as what is sent below the stream. */
const REPLY_BYTES = 1000;
/** More than any kernel takes for a client that reads nothing. */
const TAKEN_BYTES_MAX = 256 * 1024 * 1024;

describe('Replies to a client that reads nothing', () => {
  let server: net.Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = net.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  class Conversation {
    readonly replies: Replies;
    readonly #accepted: Socket;
    readonly #client: Socket;
    readonly #written: string[] = [];

    constructor(client: Socket, accepted: Socket, bytesMax: number) {
      this.#client = client;
      this.#accepted = accepted;
      const goOn = (): void => this.replies.send();
      accepted.on('drain', goOn);
      this.replies = new Replies(accepted, systemClock, bytesMax, goOn);
    }

    reply(): void {
      // No byte of it is what the reply before has at its place.
      const letter = String.fromCharCode('a'.charCodeAt(0) + (this.#written.length % 26));
      const text = letter.repeat(REPLY_BYTES - 3);
      this.replies.in('resp').text(text);
      this.#written.push(`+${text}\r\n`);
    }

    /** Replies one by one until the kernel does not take one, which is then all that waits. */
    async fill(): Promise<void> {
      while (this.replies.unreadBytes === 0) {
        if (this.#written.length * REPLY_BYTES > TAKEN_BYTES_MAX) throw new Error('nothing ever waits');
        this.reply();
        this.replies.send();
        // What one turn allows was sent.
        await until(() => this.replies.length === 0);
      }
      expect(this.#accepted.writableLength, 'it waits below the stream').to.equal(0);
    }

    async expectWhole(): Promise<void> {
      const expected = this.#written.join('');
      const chunks: string[] = [];
      let length = 0;
      this.#client.setEncoding('latin1').on('data', (chunk: string) => {
        chunks.push(chunk);
        length += chunk.length;
      });
      await until(() => length >= expected.length);
      expect(chunks.join('') === expected, 'what came is what was written').to.equal(true);
    }
  }

  async function converse(bytesMax = 64 * 1024 * 1024): Promise<Conversation> {
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [Socket];
    sockets.push(client, accepted);
    return new Conversation(client, accepted, bytesMax);
  }

  it('CountAsUnreadWhatTheKernelDidNotTake', async () => {
    const conversation = await converse();
    const { replies } = conversation;
    await conversation.fill();
    expect(replies.length).to.equal(0);
    expect(replies.unreadBytes).to.equal(REPLY_BYTES);
    conversation.reply();
    expect(replies.unreadBytes).to.equal(2 * REPLY_BYTES);
    replies.send();
    expect(replies.unreadBytes, 'sent, and not taken').to.equal(2 * REPLY_BYTES);
    await conversation.expectWhole();
    await until(() => replies.unreadBytes === 0);
  });

  it('LeaveTheMemoryAloneOfWhatIsStillSent', async () => {
    const conversation = await converse();
    await conversation.fill();
    for (let more = 0; more < 20; more++) {
      conversation.reply();
      conversation.replies.send();
    }
    await conversation.expectWhole();
  });

  it('LetOneThroughPastTheBoundOnlyWhereNothingIsStillSent', async () => {
    const conversation = await converse(REPLY_BYTES - 1);
    const { replies } = conversation;
    conversation.reply();
    expect(replies.objection(replies.in('resp'), 0, false)).to.equal(undefined);
    replies.send();
    await conversation.fill();
    conversation.reply();
    expect(replies.objection(replies.in('resp'), 0, false)?.code).to.equal('TOO_LARGE');
  });
});
