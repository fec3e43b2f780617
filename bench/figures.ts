import type { Figure } from './comparison.js';
import type { Installed } from './peers.js';
import { USAGE } from './settings.js';
import type { Settings } from './settings.js';
import type { Sizes } from './sizes.js';
import { churnFigure } from './storage/churn.js';
import { loadFigure } from './storage/load.js';
import { memoryFigure } from './storage/memory.js';
import { snapshotFigures } from './storage/snapshot.js';
import { catchUpFigure } from './throughput/catch-up.js';
import { drivenFigures } from './throughput/driven-figures.js';
import { loneServerFigures } from './throughput/lone-server.js';

/** Everything that can be measured with what is installed. */
export function allFigures(sizes: Sizes, installed: Installed, progress: (text: string) => void): Figure[] {
  const { peers, versions } = installed;
  return [
    ...(versions.has('redis-benchmark') ? loneServerFigures(sizes, peers) : []),
    ...drivenFigures(sizes, installed),
    catchUpFigure(sizes),
    memoryFigure(sizes, peers),
    loadFigure(sizes, peers),
    ...snapshotFigures(sizes, peers),
    churnFigure(sizes, peers, progress),
  ];
}

/** @throws Error that names the figures when there is none of a name. */
export function chosenFigures(
  all: readonly Figure[],
  { only, isWithChurn }: Pick<Settings, 'only' | 'isWithChurn'>,
): Figure[] {
  const names = all.map(({ name }) => name).join(', ');
  const unknown = only.find((name) => !all.some((figure) => figure.name === name));
  if (unknown !== undefined) throw new Error(`there is no figure ${unknown}, but ${names}\nusage: ${USAGE}`);
  return all.filter(({ name, isOnRequest = false }) => {
    if (name === 'churn' && isWithChurn) return true;
    return only.length === 0 ? !isOnRequest : only.includes(name);
  });
}
