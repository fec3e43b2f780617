import { copyRange, wholeRange } from '../engine.js';
import type { ByteRange } from '../engine.js';
import type { Reply, Told } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { RunCommand } from './command.js';
import type { Session } from './session.js';
import { argument, isWord, shownStart, textOf, toldAsRedis } from './words.js';

/** Clients tell by it what a server can do; see `docs/protocol.md`. */
export const REDIS_VERSION = '7.0.0';
const NAME_BYTES_MAX = 256;

/** A command that answers at once, about the connection alone. Answers a refusal instead of writing one. */
function conversing(
  answer: (request: Request, reply: Reply, session: Session) => Told | undefined,
): Pick<RunCommand, 'isQuick' | 'run'> {
  return {
    isQuick: () => true,
    run(request, _engine, reply, done, session) {
      const told = answer(request, reply, session);
      if (told !== undefined) reply.error(told);
      done();
    },
  };
}

function ping(request: Request, reply: Reply): undefined {
  const message = request.words[1];
  if (message === undefined) reply.text('PONG');
  else giveBack(message, reply);
}

function echo(request: Request, reply: Reply): undefined {
  giveBack(argument(request, 0), reply);
}

/** The request is gone before the reply is, which may keep what it is shown. */
function giveBack(message: ByteRange, reply: Reply): void {
  const { bytes, start, end } = copyRange(message);
  reply.hit(bytes, start, end);
}

function select(request: Request, reply: Reply): Told | undefined {
  const number = textOf(request.words[1]) ?? '';
  if (number === '0') {
    reply.ok();
    return undefined;
  }
  const message = 'there is one database, and its number is 0: SELECT 0, or nothing at all';
  const isNumber = /^-?\d{1,18}$/.test(number);
  const redisError = isNumber
    ? 'ERR DB index is out of range'
    : 'ERR value is not an integer or out of range';
  return toldAsRedis('SYNTAX', message, redisError);
}

/** `HELLO [2|3 [SETNAME name]]`: answers who is there, and may change the version of RESP. */
function hello(request: Request, session: Session): Told | undefined {
  let { respVersion, name } = session;
  const asked = textOf(request.words[1]);
  if (asked !== undefined) {
    if (asked !== '2' && asked !== '3') {
      const isNumber = /^\d{1,9}$/.test(asked);
      const message = 'HELLO knows the versions 2 and 3 of RESP';
      const redisError = isNumber
        ? 'NOPROTO unsupported protocol version'
        : 'ERR Protocol version is not an integer or out of range';
      return toldAsRedis('SYNTAX', message, redisError);
    }
    respVersion = asked === '2' ? 2 : 3;
  }
  for (let at = 2; at < request.words.length;) {
    if (isWord(request.words[at], 'AUTH')) return noPasswords();
    const given = request.words[at + 1];
    if (!isWord(request.words[at], 'SETNAME') || given === undefined) return unknownOption(request.words[at]);
    const wrong = checkName(textOf(given) ?? '');
    if (wrong !== undefined) return wrong;
    name = textOf(given) ?? '';
    at += 2;
  }
  session.respVersion = respVersion;
  session.name = name;
  return undefined;
}

function noPasswords(): Told {
  const message = 'this server asks nobody for a password: leave AUTH out';
  return toldAsRedis('SYNTAX', message, `WRONGPASS ${message}`);
}

function unknownOption(word: ByteRange | undefined): Told {
  const shown = word === undefined ? '' : shownStart(word);
  const message = `HELLO does not know ${shown} here: HELLO [2|3 [SETNAME name]]`;
  return toldAsRedis('SYNTAX', message, `ERR Syntax error in HELLO option '${shown}'`);
}

function checkName(name: string): Told | undefined {
  if (Buffer.byteLength(name) <= NAME_BYTES_MAX && /^[!-~]*$/.test(name)) return undefined;
  const message = `a client's name is at most ${String(NAME_BYTES_MAX)} visible ASCII characters, without blanks`;
  return toldAsRedis(
    'SYNTAX',
    message,
    'ERR Client names cannot contain spaces, newlines or special characters.',
  );
}

function answerHello(reply: Reply, session: Session, role: string): void {
  const facts: readonly (readonly [string, string | number])[] = [
    ['server', 'understudy'],
    ['version', REDIS_VERSION],
    ['proto', session.respVersion],
    ['id', session.id],
    ['mode', 'standalone'],
    ['role', role],
  ];
  reply.beginMap(facts.length + 1);
  for (const [name, value] of facts) {
    reply.item(name);
    if (typeof value === 'number') reply.integer(value);
    else reply.item(value);
  }
  reply.item('modules');
  reply.beginList(0);
  reply.endList();
  reply.endList();
}

/** The facts that Redis's `CLIENT INFO` has, as far as they mean something here. */
export function clientLine(session: Session): string {
  const { id, peerAddress, localAddress, name, ageMs, respVersion, libraryName, libraryVersion } = session;
  const seconds = String(Math.floor(ageMs / 1000));
  return (
    `id=${String(id)} addr=${peerAddress} laddr=${localAddress} name=${name} age=${seconds} db=0 ` +
    `resp=${String(respVersion)} lib-name=${libraryName} lib-ver=${libraryVersion}`
  );
}

/** Each part of CLIENT: how many words follow its own, and what it does. */
const CLIENT_PARTS: Readonly<
  Record<string, { readonly words: number; answer: ReturnType<typeof clientPart> }>
> = {
  ID: { words: 0, answer: clientPart((_words, reply, session) => reply.integer(session.id)) },
  INFO: { words: 0, answer: clientPart((_words, reply, session) => reply.document([clientLine(session)])) },
  GETNAME: {
    words: 0,
    answer: clientPart((_words, reply, session) => {
      if (session.name === '') reply.miss();
      else giveBack(wholeRange(Buffer.from(session.name)), reply);
    }),
  },
  SETNAME: {
    words: 1,
    answer([name = ''], reply, session) {
      const wrong = checkName(name);
      if (wrong !== undefined) return wrong;
      session.name = name;
      reply.ok();
      return undefined;
    },
  },
  SETINFO: { words: 2, answer: setInfo },
  // There is nothing to evict and no tracking of what was touched, so both are true already.
  'NO-EVICT': { words: 1, answer: clientPart((_words, reply) => reply.ok()) },
  'NO-TOUCH': { words: 1, answer: clientPart((_words, reply) => reply.ok()) },
};

function clientPart(
  answer: (words: readonly string[], reply: Reply, session: Session) => void,
): (words: readonly string[], reply: Reply, session: Session) => Told | undefined {
  return (words, reply, session) => {
    answer(words, reply, session);
    return undefined;
  };
}

function setInfo(words: readonly string[], reply: Reply, session: Session): Told | undefined {
  const [attribute = '', value = ''] = words;
  const wrong = checkName(value);
  if (wrong !== undefined) return wrong;
  switch (attribute.toUpperCase()) {
    case 'LIB-NAME':
      session.libraryName = value;
      break;
    case 'LIB-VER':
      session.libraryVersion = value;
      break;
    default:
      return toldAsRedis(
        'SYNTAX',
        'CLIENT SETINFO knows LIB-NAME and LIB-VER',
        `ERR Unrecognized option '${attribute.slice(0, 40)}'`,
      );
  }
  reply.ok();
  return undefined;
}

function client(request: Request, reply: Reply, session: Session): Told | undefined {
  const word = argument(request, 0);
  const name = (textOf(word) ?? '').toUpperCase();
  const part = Object.hasOwn(CLIENT_PARTS, name) ? CLIENT_PARTS[name] : undefined;
  const words = request.words.slice(2);
  if (part?.words !== words.length) return unknownPart('CLIENT', shownStart(word), Object.keys(CLIENT_PARTS));
  return part.answer(
    words.map((range) => textOf(range) ?? ''),
    reply,
    session,
  );
}

/** A word behind a command that has parts, such as `CLIENT`, which is none of them. */
export function unknownPart(command: string, shown: string, known: readonly string[]): Told {
  const message = `${command} has no ${shown} with these words: there are ${known.join(', ')}`;
  const redisError = `ERR unknown subcommand '${shown}'. Try ${command} HELP.`;
  return toldAsRedis('SYNTAX', message, redisError);
}

/** Commands about the connection itself. */
export const CONVERSATION_COMMANDS: readonly RunCommand[] = [
  {
    name: 'PING',
    shape: 'words',
    operands: { usage: '[message]', min: 0, max: 1 },
    effect: 'reads',
    answers: '`PONG`, or the message',
    summary: 'Answers, and so shows that the server does.',
    ...conversing(ping),
  },
  {
    name: 'ECHO',
    shape: 'words',
    operands: { usage: 'message', min: 1, max: 1 },
    effect: 'reads',
    answers: 'the message',
    summary: 'Gives back what it is given.',
    ...conversing(echo),
  },
  {
    name: 'QUIT',
    shape: 'nothing',
    effect: 'reads',
    answers: '`OK`, and the connection is closed',
    summary: 'Ends the conversation.',
    // Not quick: nothing behind it may be begun.
    isQuick: () => false,
    run(_request, _engine, reply, done, session) {
      reply.ok();
      session.isEnding = true;
      done();
    },
  },
  {
    name: 'SELECT',
    shape: 'words',
    operands: { usage: '0', min: 1, max: 1 },
    effect: 'reads',
    answers: '`OK`',
    summary: 'Chooses the only database there is.',
    ...conversing(select),
  },
  {
    name: 'HELLO',
    shape: 'words',
    operands: { usage: '[version [SETNAME name]]', min: 0, max: 16 },
    effect: 'reads',
    answers: 'names and values, in turn',
    summary: 'Says who is there, and chooses the version of RESP for what follows.',
    // It asks the engine how the node is, and many may come at once.
    isQuick: () => false,
    workWords: 100,
    run(request, engine, reply, done, session) {
      const told = hello(request, session);
      if (told !== undefined) reply.error(told);
      else answerHello(reply, session, engine.status().role === 'primary' ? 'master' : 'replica');
      done();
    },
  },
  {
    name: 'CLIENT',
    shape: 'words',
    operands: { usage: 'part [word …]', min: 1, max: 3 },
    effect: 'reads',
    answers: 'what the part says',
    summary: 'Says what this connection is, and gives it a name.',
    ...conversing(client),
  },
];
