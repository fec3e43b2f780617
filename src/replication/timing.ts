/** How long things may take, and how much is under way at a time. */
export interface Timing {
  readonly heartbeatMs: number;
  /** A node that is silent for longer is reported. */
  readonly silentMs: number;
  readonly leaseMs: number;
  /** How long an answer is waited for before a node counts as not answering. */
  readonly answerMs: number;
  readonly resendMs: number;
  readonly handOverMs: number;
  readonly commandMs: number;
  /** So long a backup that is fed is not told that the commit has moved, when no append tells it before. With 0 it is told at once. */
  readonly commitMs: number;
  /** In the place of those above while the members make their own primary. */
  readonly automatic: AutomaticTiming;
}

/** Invariant: leaseMs < electionMinMs, so that whoever wants to be elected finds most leases run out. */
export interface AutomaticTiming {
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly answerMs: number;
  readonly resendMs: number;
  /** A backup that has heard no primary for a time between these two, drawn anew each time, wants to be one. */
  readonly electionMinMs: number;
  readonly electionMaxMs: number;
}

export const DEFAULT_TIMING: Timing = {
  heartbeatMs: 1000,
  silentMs: 5000,
  leaseMs: 3000,
  answerMs: 1500,
  resendMs: 500,
  handOverMs: 5000,
  commandMs: 8000,
  commitMs: 2,
  automatic: {
    heartbeatMs: 100,
    leaseMs: 500,
    answerMs: 400,
    resendMs: 150,
    electionMinMs: 600,
    electionMaxMs: 1200,
  },
};

/** How much is sent to one backup at a time. */
export interface Windows {
  /** What may be on its way and not acknowledged. One message may go beyond. */
  readonly bytes: number;
  readonly messages: number;
  /** A message is closed when it has this many bytes. One frame may be larger, and travels alone. */
  readonly messageBytes: number;
}

export const DEFAULT_WINDOWS: Windows = { bytes: 4 * 1024 * 1024, messages: 256, messageBytes: 512 * 1024 };
