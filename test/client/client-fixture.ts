import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { KvError } from '../../src/client/errors.js';
import { startScriptedServer } from './scripted-server.js';
import type { Script, ScriptedServer } from './scripted-server.js';

export type Start = (script: Script, options?: ClientOptions) => Promise<[KvClient, ScriptedServer]>;

/**
 * Starts scripted servers with a client each, and ends them after each test of the suite that called this. The clients open no
 * sessions unless they are told to.
 */
export function useScriptedServers(): Start {
  const running: [KvClient, ScriptedServer][] = [];
  afterEach(async () => {
    for (const [client, server] of running.splice(0)) {
      client.close();
      await server.close();
    }
  });
  return async (script, options = {}) => {
    const server = await startScriptedServer(script);
    const client = createClient({ address: server.address, retryWrites: false, ...options });
    running.push([client, server]);
    return [client, server];
  };
}

export async function failureOf(promise: Promise<unknown>): Promise<KvError> {
  const outcome = await promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(KvError);
  return outcome as KvError;
}
