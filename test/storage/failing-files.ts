import type { Files } from '../../src/storage/files.js';
import { aroundFiles } from './around-files.js';
import type { Around, AroundNow, FilesCall } from './around-files.js';

export type FailureCode = 'EIO' | 'ENOSPC' | 'EACCES' | 'EPERM' | 'EINVAL';

/** What a call fails with, as the system says it. */
export class InjectedFailure extends Error {
  constructor(
    readonly code: string,
    call: FilesCall,
  ) {
    super(`${code}: injected, ${call.operation} '${call.file}'`);
  }
}

const PARTIAL_WRITE_BYTES = 40;

/**
 * Files of which calls can be made to fail. A write that fails has written its first bytes; any other call that
 * fails did nothing.
 */
export class FailingFiles {
  readonly files: Files;
  /** Every call so far, in order. */
  readonly calls: FilesCall[] = [];
  #fails: (call: FilesCall, number: number) => string | undefined = () => undefined;

  constructor(inner: Files) {
    const around: Around = async (call, run, write) => {
      const code = this.#codeFor(call);
      if (code === undefined) return run();
      await write?.(PARTIAL_WRITE_BYTES);
      throw new InjectedFailure(code, call);
    };
    const aroundNow: AroundNow = (call, run, write) => {
      const code = this.#codeFor(call);
      if (code === undefined) {
        run();
        return;
      }
      write(PARTIAL_WRITE_BYTES);
      throw new InjectedFailure(code, call);
    };
    this.files = aroundFiles(inner, around, aroundNow);
  }

  /** Fails the call of this number alone, counted from 1. */
  failOnce(number: number, code: FailureCode): void {
    this.#fails = (_call, at) => (at === number ? code : undefined);
  }

  /** Fails the call of this number and every one behind it: the process is gone. */
  dieAt(number: number): void {
    this.#fails = (_call, at) => (at >= number ? 'EDEAD' : undefined);
  }

  failWhile(isFailing: (call: FilesCall) => boolean, code: FailureCode): void {
    this.#fails = (call) => (isFailing(call) ? code : undefined);
  }

  heal(): void {
    this.#fails = () => undefined;
  }

  #codeFor(call: FilesCall): string | undefined {
    this.calls.push(call);
    return this.#fails(call, this.calls.length);
  }
}

/** Whether a call writes bytes into an open file. */
export function writesBytes({ operation }: FilesCall): boolean {
  return operation === 'write' || operation === 'writeGathered' || operation === 'writeGatheredNow';
}

/** Whether a call changes what is stored, or makes it durable. */
export function changesFiles(call: FilesCall): boolean {
  return ![
    'open',
    'openToRead',
    'openDurable',
    'list',
    'exists',
    'size',
    'read',
    'close',
    'lock',
    'lockOwner',
  ].includes(call.operation);
}
