/** One line on a terminal that says how far something is. Anywhere else it says nothing. */
export interface ProgressLine {
  /** Replaces what stood there. */
  show(text: string): void;
  /** Leaves no trace. */
  end(): void;
}

const ERASE_LINE = '\r\u001b[K';

export function progressLine(stream: {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}): ProgressLine {
  if (stream.isTTY !== true) return { show: () => undefined, end: () => undefined };
  let isShown = false;
  return {
    show: (text) => {
      isShown = true;
      stream.write(`${ERASE_LINE}${text}`);
    },
    end: () => {
      if (isShown) stream.write(ERASE_LINE);
      isShown = false;
    },
  };
}
