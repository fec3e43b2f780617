import { open } from 'node:fs/promises';
import { SECRET_BYTES_MAX, secretObjection } from '../server/handshake-proofs.js';
import { UsageError } from './exit.js';

/** The secret of the cluster, from wherever it was given. */
export interface GivenSecret {
  /** Undefined when none was given. */
  readonly secret: Buffer | undefined;
  /** Others than the owner of the file may read it. */
  readonly isOpenToOthers: boolean;
}

/** Room for one line ending, and for one byte that shows that there is more. */
const READ_BYTES_MAX = SECRET_BYTES_MAX + 3;
const OTHERS = 0o077;
const LINE_ENDING = /\r?\n$/;

/**
 * Reads the secret from the file, if one is named, else from the environment. No message ever holds it.
 *
 * @throws UsageError
 */
export async function readClusterSecret(
  file: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<GivenSecret> {
  const variable = environment.KV_CLUSTER_SECRET;
  const inEnvironment =
    variable === undefined || variable === '' ? undefined : withoutLineEnding(Buffer.from(variable));
  const found = file === undefined ? undefined : await readSecretFile(file);
  const secret = found?.secret ?? inEnvironment;
  if (secret === undefined) return { secret: undefined, isOpenToOthers: false };
  if (inEnvironment?.equals(secret) === false) {
    throw new UsageError(
      '--cluster-secret-file and KV_CLUSTER_SECRET hold different secrets: give one of them',
    );
  }
  const objection = secretObjection(secret);
  if (objection !== undefined) {
    throw new UsageError(`${file ?? 'KV_CLUSTER_SECRET'}: ${objection}`);
  }
  return { secret, isOpenToOthers: found?.isOpenToOthers ?? false };
}

async function readSecretFile(file: string): Promise<{ secret: Buffer; isOpenToOthers: boolean }> {
  try {
    const handle = await open(file, 'r');
    try {
      const { mode } = await handle.stat();
      const bytes = Buffer.alloc(READ_BYTES_MAX);
      let length = 0;
      for (let taken = -1; taken !== 0 && length < bytes.length; length += taken) {
        taken = (await handle.read(bytes, length, bytes.length - length, null)).bytesRead;
      }
      const secret = withoutLineEnding(bytes.subarray(0, length));
      return { secret, isOpenToOthers: (mode & OTHERS) !== 0 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--cluster-secret-file cannot be read: ${reason}`);
  }
}

function withoutLineEnding(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(LINE_ENDING, ''), 'latin1');
}
