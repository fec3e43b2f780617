import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Image } from './memory-files.js';

/** Runs `work` with a fresh directory, and removes it afterwards. */
export async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'kv-storage-'));
  try {
    return await work(directory);
  } finally {
    await fs.promises.rm(directory, { recursive: true, force: true });
  }
}

/** Lays the files of an image down on the real disk, below `directory`. */
export async function layDown(directory: string, image: Image): Promise<void> {
  for (const [file, content] of image) {
    const target = path.join(directory, file);
    await fs.promises.mkdir(path.dirname(target), { recursive: true });
    await fs.promises.writeFile(target, content);
  }
}

/** All files below a directory, by their path in it. */
export async function imageOf(directory: string): Promise<Map<string, Buffer>> {
  const image = new Map<string, Buffer>();
  const entries = await fs.promises.readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const file = path.join(entry.parentPath, entry.name);
    image.set(`/${path.relative(directory, file)}`, await fs.promises.readFile(file));
  }
  return image;
}
