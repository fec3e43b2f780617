import { spawnSync } from 'node:child_process';
import type { Place } from './cluster.js';
import { TEST_SECRET } from './fabric.js';
import type { Fabric } from './fabric.js';

/** Nobody has this one, so what is sent to it is lost, and the sender notices nothing. */
const NOBODYS_MAC = '02:00:00:00:00:01';
const PORT = 7001;

function ip(...words: readonly string[]): void {
  const { status, stderr, error } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${error?.message ?? stderr}`);
}

/**
 * Each node in a network namespace of its own, as on a machine of its own, and all of them on one bridge. Undefined where this
 * machine does not let us: it takes root, and iproute2.
 */
export function namespaceFabric(): Fabric | undefined {
  const id = `kv${String(process.pid)}`;
  const subnet = `10.213.${String(process.pid % 250)}`;
  try {
    ip('netns', 'add', `${id}-probe`);
    ip('netns', 'del', `${id}-probe`);
    ip('link', 'add', id, 'type', 'bridge');
    ip('addr', 'add', `${subnet}.1/24`, 'dev', id);
    ip('link', 'set', id, 'up');
  } catch {
    return undefined;
  }
  return fabricOn(id, subnet);
}

function fabricOn(bridge: string, subnet: string): Fabric {
  const numbers = new Map<string, number>();
  let cuts: (readonly [from: string, to: string])[] = [];
  const namespaceOf = (name: string): string => `${bridge}-${String(numbers.get(name))}`;
  const hostOf = (name: string): string => `${subnet}.${String(numbers.get(name))}`;
  const done = (): Promise<void> => Promise.resolve();
  return {
    kind: 'namespaces',
    place(name): Promise<Place> {
      numbers.set(name, 10 + numbers.size);
      const [namespace, host] = [namespaceOf(name), hostOf(name)];
      const port = `${bridge}v${String(numbers.get(name))}`;
      ip('netns', 'add', namespace);
      ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      ip('link', 'set', port, 'master', bridge, 'up');
      ip('-n', namespace, 'addr', 'add', `${host}/24`, 'dev', 'eth0');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
      const address = `${host}:${String(PORT)}`;
      const under = ['ip', 'netns', 'exec', namespace];
      const options = ['--allow-unauthenticated'];
      return Promise.resolve({ address, advertised: address, under, options, secret: TEST_SECRET });
    },
    cutOneWay(from, to) {
      const entry = [hostOf(to), 'lladdr', NOBODYS_MAC, 'dev', 'eth0', 'nud', 'permanent'];
      ip('-n', namespaceOf(from), 'neigh', 'replace', ...entry);
      cuts.push([from, to]);
      return done();
    },
    heal() {
      const healed = new Set(cuts.map(([from, to]) => `${from} ${to}`));
      cuts = [];
      for (const [from, to] of [...healed].map((way) => way.split(' ') as [string, string])) {
        ip('-n', namespaceOf(from), 'neigh', 'del', hostOf(to), 'dev', 'eth0');
      }
      return done();
    },
    close() {
      for (const name of numbers.keys()) ip('netns', 'del', namespaceOf(name));
      ip('link', 'del', bridge);
      return done();
    },
  };
}
