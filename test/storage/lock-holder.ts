import { seededRandom } from '../random.js';
import { systemFiles } from '../../src/storage/files.js';
import { TestNode } from './test-node.js';

/** Run as a process of its own: opens the data at the path given, says so, and holds it until it is killed. */
await TestNode.start({ files: systemFiles, dbPath: process.argv[2]!, random: seededRandom(process.pid) });
process.stdout.write('open\n');
process.stdin.resume();
