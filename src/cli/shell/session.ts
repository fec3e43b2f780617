import { showAddress } from '../../client/address.js';
import type { Address } from '../../client/address.js';
import type { KvClient } from '../../client/client.js';
import { KvError } from '../../client/errors.js';
import type { KvReply } from '../../client/reply.js';
import type { Bytes } from '../../client/requests.js';
import type { Clock } from '../../clock.js';
import type { Command } from '../../commands/command.js';
import { WHEN_CHANGE_UNCONFIRMED } from '../client-command.js';
import { EXIT } from '../exit.js';
import { explain } from '../explain.js';
import type { Explanation } from '../explain.js';

/** What the shell asks of the client library: one server, any command. */
export type CommandClient = Pick<KvClient, 'command' | 'close'>;

export interface SessionOptions {
  readonly address: Address;
  /** How long a command may take. */
  readonly timeoutMs: number;
  /** The same for commands that change who takes part. */
  readonly changeTimeoutMs: number;
  readonly clock: Clock;
  readonly connect: (address: Address) => CommandClient;
}

/** Why a command was not done. */
export interface Failure extends Explanation {
  /** No server said so: it cannot be reached, or was lost. */
  readonly isLost: boolean;
}

export type Outcome = { readonly reply: KvReply } | { readonly failure: Failure };

/** How the server was when it was last asked. */
export type Standing =
  { readonly role: string; readonly term: string } | { readonly unreachable: string } | 'unknown';

/** How long the prompt waits to learn how the server is. */
const STANDING_TIMEOUT_MS = 300;

/** The server that the shell talks to, and what is known of it. */
export class ShellSession {
  readonly #options: SessionOptions;
  #address: Address;
  #client: CommandClient;
  #standing: Standing = 'unknown';

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#address = options.address;
    this.#client = options.connect(options.address);
  }

  get address(): string {
    return showAddress(this.#address);
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** How the server is, found out within the time that a command has: for who begins to talk to it. */
  greet(): Promise<Standing> {
    return this.look(this.#options.timeoutMs);
  }

  /** Goes on with another server. What was under way with the one before is given up. */
  move(address: Address): void {
    this.#client.close();
    this.#address = address;
    this.#client = this.#options.connect(address);
    this.#standing = 'unknown';
  }

  /** Does one command. Never rejects: whatever happens is an outcome. */
  async run(command: Command, words: readonly Buffer[], signal?: AbortSignal): Promise<Outcome> {
    const manages = command.effect === 'manages';
    const timeoutMs = manages ? this.#options.changeTimeoutMs : this.#options.timeoutMs;
    try {
      return {
        reply: await this.#client.command(words, { timeoutMs, ...(signal === undefined ? {} : { signal }) }),
      };
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      return { failure: this.#failure(error, timeoutMs, manages) };
    }
  }

  /** Asks a question of the shell's own, within a time that a person who waits for a prompt does not notice much. */
  async ask(words: readonly Bytes[], timeoutMs: number): Promise<KvReply | undefined> {
    try {
      return await this.#client.command(words, { timeoutMs });
    } catch (error) {
      if (error instanceof KvError) return undefined;
      throw error;
    }
  }

  /** Finds out how the server is. */
  async look(timeoutMs = STANDING_TIMEOUT_MS): Promise<Standing> {
    try {
      const reply = await this.#client.command(['HEARTBEAT'], { timeoutMs });
      const fields = new Map(
        (reply.kind === 'ok' ? reply.fields : '').split(' ').map((field) => {
          const [name = '', value = ''] = field.split('=');
          return [name, value];
        }),
      );
      this.#standing = { role: fields.get('role') ?? 'unknown', term: fields.get('term') ?? 'unknown' };
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#standing = { unreachable: this.#failure(error, timeoutMs, false).message };
    }
    return this.#standing;
  }

  close(): void {
    this.#client.close();
  }

  #failure(error: KvError, timeoutMs: number, manages: boolean): Failure {
    const whenUnconfirmed = manages ? WHEN_CHANGE_UNCONFIRMED : 'read the key before you try again';
    const target = { address: this.#address, option: 'CONNECT' as const, timeoutMs, whenUnconfirmed };
    const explanation = explain(error, target);
    return { ...explanation, isLost: !error.answered && explanation.exitCode !== EXIT.refused };
  }
}
