import dgram from 'node:dgram';
import net from 'node:net';

const FIRST_PORT = 15_000;
const PORTS = 15_000;

/**
 * A port of 127.0.0.1 that is free, that the system gives to nobody who asks for any, and that no other test is given until this
 * process ends: a server may come back to it, and where nobody listens nobody ever does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const release = await claim(port);
    if (release === undefined) continue;
    if (await isFree(port)) return port;
    release();
  }
}

/** The claim is a socket of UDP at the same number, which the kernel gives to one process alone and takes back at its end. */
function claim(port: number): Promise<(() => void) | undefined> {
  const socket = dgram.createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.bind({ address: '127.0.0.1', port, exclusive: true }, () => {
      socket.unref();
      resolve(() => {
        socket.close();
      });
    });
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
