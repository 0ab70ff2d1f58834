// SPDX-License-Identifier: Apache-2.0
// Types of what the appliance, its hosts and the page say to each other.

export type ErrorCode = 'internal' | 'bad-option' | 'port-busy'
  | 'permission-denied' | 'address-not-available' | 'control-refused'
  | 'state-refused';

/** What fortnight_run() is started with. */
export interface ApplianceOptions {
  /** A literal address to bind; '::' is dual-stack. */
  address?: string;
  /** 0: any free port. */
  port?: number;
  /** For the certificate; the first is the link's host. */
  hosts?: string[];
  path?: string;
  /** 'hot-standby', 'long', 'short', or its parts; see certmgr/profile.h. */
  profile?: string;
  /** An https URL from which the signed hash set can be had, for the link. */
  mirror?: string;
  /** An https URL to which each new signed hash set is PUT (the worker does). */
  publish?: string;
  /** Which of the appliance's own applications are served; all if it is left
      out.  The feed of hashes always is. */
  apps?: ('echo' | 'room' | 'measure')[];
  /** The paths whose sessions the application serves, over a port: "/chat", or
      "/files/*" for all that begin so and nobody serves by name. */
  paths?: string[];
  /** Keeps nothing: a new identity at each start. */
  ephemeral?: boolean;
  /** Whose pages may have sessions; everybody's if it is left out. */
  origins?: string[];
  /** Whether clients have to show first that they are where they say. */
  retry?: 'always' | 'busy' | 'never';
  /** More open handshakes than this are busy. */
  retry_above?: number;
  max_connections?: number;
  /** Of one connection. */
  max_sessions?: number;
  /** That are open at once. */
  max_handshakes?: number;
  /** Seconds of silence after which a connection is over. */
  idle?: number;
  /** Seconds that sessions have to end by themselves when it stops; 0 if it is
      left out. */
  drain?: number;
}

export interface Hash {
  use: 'active' | 'standby';
  /** 64 lower-case hexadecimal digits. */
  hex: string;
  b64url: string;
  /** In seconds since 1970 UTC, as all times here. */
  not_before: number;
  not_after: number;
  active_from: number;
  active_until: number;
}

/** What appliance_describe() tells. */
export interface Published {
  state: ManagerState;
  /** The identity's thumbprint (RFC 7638). */
  identity: string;
  epoch: number;
  seq: number;
  /** Both null if there is nothing to connect with. */
  url: string | null;
  link: string | null;
  hashes: Hash[];
}

/** cm_manager_state_name() */
export type ManagerState = 'WAITING_FOR_TIME' | 'BOOTSTRAP' | 'EXPIRED' | 'GUARD'
  | 'STORE_FAILED' | 'CLOCK_SUSPECT' | 'NO_STANDBY' | 'HEALTHY';

/** One certificate, dead or alive. */
export interface Slot {
  id: number;
  state: 'GENERATED' | 'PERSISTED' | 'PUBLISHED' | 'READY' | 'ACTIVE' | 'RETIRED'
    | 'DESTROYED' | 'REVOKED' | 'QUARANTINED';
  hex: string;
  serving: boolean;
  parked: boolean;
  not_before: number;
  not_after: number;
  /** The end of the backdated part. */
  standby_from: number;
  active_from: number;
  active_until: number;
  guard_from: number;
}

/** cm_manager_status() */
export interface Certificates {
  state: ManagerState;
  /** What failed and is not mended yet; '' if nothing. */
  problem: string;
  identity: string;
  epoch: number;
  seq: number;
  now: number;
  /** Whether the certificates and the identity outlive the appliance. */
  durable: boolean;
  without_standby: number;
  /** Seconds until what lies ahead. */
  until: Partial<Record<'standby_ready' | 'rotation' | 'guard' | 'expiry' | 'retry', number>>;
  slots: Slot[];
  counters: Record<string, unknown>;
}

export interface Session {
  session: number | string;
  peer: string;
  path: string;
  origin: string;
  /** These in the answer to `status` alone. */
  age_s?: number;
  /** Of its connection: the smoothed round trip, in microseconds. */
  rtt_us?: number;
  octets_received?: number;
  octets_sent?: number;
}

export interface SessionEnd {
  session: number | string;
  by: 'client' | 'server' | 'connection';
  code: number;
  reason: string;
}

/** The socket and the state are open; |ready| may still wait, for the clock say. */
export type ListeningEvent = { type: 'listening'; address: string; port: number };
export type ReadyEvent = { type: 'ready'; address: string; port: number; ephemeral: boolean }
  & Published & { url: string; link: string };
export type CertificatesEvent = { type: 'certificates' } & Published;
export type StateEvent = { type: 'state'; state: ManagerState; from: ManagerState };
/** A line of the journal, as it is written. */
export type JournalEvent = { type: 'journal'; time: number; event: string; id?: number;
  from?: string; to?: string; text?: string; value?: number };
/** A client that would not connect, and why. */
export type RefusedEvent = { type: 'refused'; certificate: string; peer: string; by: string; text: string };
/** The signed hash set, for mirrors; '' if there is none any more. */
export type DocumentEvent = { type: 'document'; seq: number; jws: string };
/** Nothing will be kept, although it was to be; |text| says why. */
export type EphemeralEvent = { type: 'ephemeral'; text: string };
export type SessionOpenedEvent = { type: 'session-opened' } & Session;
export type SessionClosedEvent = { type: 'session-closed' } & SessionEnd;
export type LogEvent = { type: 'log'; level: string; text: string };
export type ErrorEvent = { type: 'error'; code: ErrorCode; text: string };
export type ReplyEvent = { type: 'reply'; id: number; reply: any };
export type ApplianceEvent = ListeningEvent | ReadyEvent | CertificatesEvent | StateEvent | JournalEvent
  | RefusedEvent | DocumentEvent | EphemeralEvent | SessionOpenedEvent | SessionClosedEvent
  | LogEvent | ErrorEvent | ReplyEvent;

export interface Command {
  command: string;
  [argument: string]: unknown;
}

/** What `status` answers. */
export interface Status extends Published {
  certificates: Certificates;
  connections: number;
  uptime_s: number;
  sessions: Session[];
  counters: Record<string, number>;
  closed: SessionEnd[];
  /** Of the sessions that the application serves, if there are paths for it. */
  health?: {
    /** Octets of streams that came and were not read. */
    unread: number;
    requests_refused: number;
    datagrams_dropped: number;
    sessions_overrun: number;
    records_ignored: number;
  };
}

/** The Emscripten module, as far as it is used here. */
export interface FortnightModule {
  ccall(name: 'fortnight_run', result: 'number', types: ['string'],
    args: [string], options: { async: true }): Promise<number>;
  /** Ends the current wait of the loop, so that it takes up the commands. */
  dsWake(): void;
}

/**
 * Where the appliance's state is kept: a few files by name, for its store and
 * its journal.  Whoever opens it has it alone, until close().  All is done when
 * a function returns; each may throw, and what it throws is told to the person
 * (certmgr/libstore_web.js).
 */
export interface FortnightStore {
  /** Where that is, for a person. */
  readonly place: string;
  /** The whole file, which is the caller's; null if there is none. */
  read(name: string): Uint8Array | null;
  /** Makes |name| stand for |data|, durably.  If it throws, |name| may hold
      anything. */
  write(name: string, data: Uint8Array): void;
  /** Adds |data| to the end, or leaves the file as it is. */
  append(name: string, data: Uint8Array): void;
  /** In the place of what |to| was. */
  rename(from: string, to: string): void;
  close(): void;
}

export interface FortnightModuleOptions {
  onFortnightEvents: (events: ApplianceEvent[]) => void;
  fortnightCommands: string[];
  fortnightStore?: FortnightStore;
  /** Records for the WASM, which takes them from the front. */
  fortnightBatches?: Uint8Array[];
  onFortnightBatchTaken?: () => void;
  /** Whether onFortnightBatch() may be called. */
  fortnightRoom?: () => boolean;
  onFortnightBatch?: (data: ArrayBuffer) => void;
  print?: (text: string) => void;
  printErr?: (text: string) => void;
  locateFile?: (name: string) => string;
}

export type CreateModule =
  (options: FortnightModuleOptions) => Promise<FortnightModule>;

/** A running appliance, wherever it runs. */
export interface Appliance {
  /** What it serves; rejected with an ApplianceError if it never will. */
  ready: Promise<ReadyEvent>;
  /** The reply; rejected if the command fails or the appliance is gone. */
  command(command: Command): Promise<any>;
  /** Records of the sessions that the application serves. */
  batch(message: BatchMessage): void;
  /** Stops it; resolved when it has stopped. */
  stop(): Promise<void>;
  /** The exit code; never rejected. */
  exited: Promise<number>;
}

/**
 * Records, either way (records.js); |data| is transferred.  |taken| counts the
 * batches of the other side that were taken since the last such message: of
 * each side there are at most two on their way.
 */
export type BatchMessage = { type: 'batch'; data?: ArrayBuffer | Uint8Array; taken: number };

/** From the page to its worker.  |module|: where the WASM's JavaScript is. */
export type ToWorker =
  | BatchMessage
  | { type: 'start'; options: ApplianceOptions; module?: string }
  | { type: 'command'; id: number; command: Command }
  | { type: 'stop' };

/** From the worker to its page: one 'events' message per batch. */
export type FromWorker =
  | BatchMessage
  | { type: 'events'; events: ApplianceEvent[] }
  | { type: 'reply'; id: number; reply: any }
  | { type: 'refused'; id: number; text: string }
  | { type: 'exited'; code: number };
