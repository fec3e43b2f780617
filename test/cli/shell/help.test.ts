import { expect } from 'chai';
import { shellHelp, typedNames } from '../../../src/cli/shell/help.js';

describe('HELP of the shell', () => {
  it('NamesEverythingThatCanBeTypedAndFitsTheScreen', () => {
    for (const columns of [60, 80, 120]) {
      const lines = shellHelp(undefined, columns);
      for (const name of typedNames())
        expect(
          lines.some((line) => line.startsWith(`  ${name}`)),
          name,
        ).to.equal(true);
      for (const line of lines) expect(line.length, line).to.be.below(columns);
    }
    expect(typedNames()).to.include.members(['GET', 'EXIT', 'SCAN']);
    expect(typedNames()).to.not.include.members(['HELLO']);
    expect(new Set(typedNames()).size).to.equal(typedNames().length);
  });

  it('IsAboutOneWordWhereOneIsNamed', () => {
    expect(shellHelp('get', 80)).to.deep.equal(['GET key', 'Reads one key.', 'Answers the value or NULL.']);
    expect(shellHelp('connect', 80)).to.deep.equal(['CONNECT host:port', 'Goes on with another server.']);
    expect(shellHelp('gett', 80)).to.deep.equal(['There is no command "gett": did you mean GET?']);
    expect(shellHelp('frobnicate', 80)).to.deep.equal(['There is no command "frobnicate": HELP lists them']);
  });
});
