import { HashTable } from '../../src/store/hash-table.js';
import { tableContract } from './table-contract.js';

tableContract('HashTable', () => new HashTable(1));
tableContract('HashTable with another seed', () => new HashTable(-123_456_789));
