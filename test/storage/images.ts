import { expect } from 'chai';
import type { FsyncPolicy } from '../../src/engine.js';
import { StorageFault } from '../../src/storage/fault.js';
import {
  decodeRecord,
  decodeSegmentHeader,
  sequenceOf,
  SEGMENT_HEADER_BYTES,
} from '../../src/storage/segment.js';
import { seededRandom } from '../random.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { TestNode } from './test-node.js';
import type { Content, NodeOptions } from './test-node.js';

export const DB_PATH = '/data/kv-store.json';
export const NODE_PATH = `${DB_PATH}.d/node.json`;
export const PREVIOUS_PATH = `${DB_PATH}.d/previous.json`;

export type Stop = 'clean' | 'crash';

export function segmentPath(sequence: number): string {
  return `${DB_PATH}.d/segment-${String(sequence).padStart(10, '0')}`;
}

/** The segments of an image, in order. */
export function segmentsOf(image: Image): string[] {
  return [...image.keys()].filter((file) => sequenceOf(file.split('/').at(-1) ?? '') !== undefined).sort();
}

/** Runs a node on a disk of its own, and answers what the disk holds after the stop. */
export async function record(
  stop: Stop,
  work: (node: TestNode) => Promise<unknown>,
  options: Partial<NodeOptions> = {},
): Promise<Map<string, Buffer>> {
  const disk = MemoryDisk.holding(new Map([['/data/other', Buffer.alloc(0)]]));
  const random = seededRandom(7);
  const node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH, random, ...options });
  await work(node);
  if (stop === 'clean') await node.stop();
  // A background file may be half made at any moment; recovery does not look at it.
  else await node.abandon();
  return disk.image();
}

export interface Started {
  readonly content: Content;
  readonly events: TestNode['events'];
  /** What the disk holds once the node was let go of, without a clean stop. */
  readonly image: Image;
}

/** Starts a node on an image; the fault when it refuses, and then nothing was changed. */
export async function startOn(
  image: Image,
  options: Partial<NodeOptions> = {},
  work: (node: TestNode) => Promise<unknown> = () => Promise.resolve(),
): Promise<Started | StorageFault> {
  const disk = MemoryDisk.holding(image);
  let node: TestNode;
  try {
    node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH, ...options });
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error;
    expectUntouched(image, disk.image());
    return error;
  }
  const { content, events } = node;
  await work(node);
  await node.abandon();
  return { content, events, image: disk.image() };
}

function expectUntouched(before: Image, after: Image): void {
  const isData = (file: string): boolean => !file.endsWith('.d/lock');
  expect([...after.keys()].filter(isData).sort()).to.deep.equal([...before.keys()].filter(isData).sort());
  for (const [file, content] of after) {
    if (isData(file) && !content.equals(before.get(file)!)) throw new Error(`${file} was changed`);
  }
}

export async function expectStart(image: Image, options: Partial<NodeOptions> = {}): Promise<Started> {
  const started = await startOn(image, options);
  if (started instanceof StorageFault) throw started;
  return started;
}

/** Expects a refusal that names the file. */
export async function expectRefusal(
  image: Image,
  file: string,
  options: Partial<NodeOptions> = {},
): Promise<StorageFault> {
  const started = await startOn(image, options);
  if (!(started instanceof StorageFault)) throw new Error(`started, and ${file} should be refused`);
  // The name of the directory begins with the name of the JSON file.
  const name = file.endsWith('-') ? file : `${file}(?![.\\w])`;
  expect(started.message).to.match(new RegExp(name));
  return started;
}

export function changed(image: Image, file: string, change: (content: Buffer) => Buffer | undefined): Image {
  const copy = new Map(image);
  const content = change(Buffer.from(image.get(file)!));
  if (content === undefined) copy.delete(file);
  else copy.set(file, content);
  return copy;
}

export function flipped(image: Image, file: string, at: number, pattern: number): Image {
  return changed(image, file, (content) => {
    content[at] = content[at]! ^ pattern;
    return content;
  });
}

export interface PlacedFrame {
  readonly start: number;
  readonly end: number;
  readonly lastIndex: number;
}

/** Where the frames of a segment lie. */
export function framesOf(segment: Buffer): PlacedFrame[] {
  const { salt } = decodeSegmentHeader(segment)!;
  const frames: PlacedFrame[] = [];
  for (let at = SEGMENT_HEADER_BYTES; ;) {
    const found = decodeRecord(segment, at, salt);
    if (found === undefined) return frames;
    const { firstIndex, count, end } = found.frame;
    frames.push({ start: at, end, lastIndex: firstIndex + count - 1 });
    at = found.next;
  }
}

/** Puts that fill about `segments` segments, one frame each; answers the content by the index of the log. */
export async function fill(
  node: TestNode,
  puts: number,
  history = new Map<number, Content>(),
): Promise<Map<number, Content>> {
  history.set(node.log.end.index, node.content);
  for (let count = 0; count < puts; count++) {
    const { index } = node.log.end;
    const refused = await node.put(`key-${String(index % 11)}`, `value ${String(index)} \xff`.repeat(3));
    expect(refused).to.equal(undefined);
    history.set(node.log.end.index, node.content);
  }
  return history;
}

export const POLICIES: readonly FsyncPolicy[] = ['always', 'everysec', 'off'];
