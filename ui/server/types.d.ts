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
}

export interface Hash {
  use: 'active' | 'standby';
  /** 64 lower-case hexadecimal digits. */
  hex: string;
  b64url: string;
}

export interface Published {
  url: string;
  link: string;
  hashes: Hash[];
}

export interface Session {
  session: number | string;
  peer: string;
  path: string;
  origin: string;
}

export interface SessionEnd {
  session: number | string;
  by: 'client' | 'server' | 'connection';
  code: number;
  reason: string;
}

export type ReadyEvent = { type: 'ready'; address: string; port: number } & Published;
export type CertificatesEvent = { type: 'certificates'; link: string; hashes: Hash[] };
export type SessionOpenedEvent = { type: 'session-opened' } & Session;
export type SessionClosedEvent = { type: 'session-closed' } & SessionEnd;
export type LogEvent = { type: 'log'; level: string; text: string };
export type ErrorEvent = { type: 'error'; code: ErrorCode; text: string };
export type ReplyEvent = { type: 'reply'; id: number; reply: any };
export type ApplianceEvent = ReadyEvent | CertificatesEvent | SessionOpenedEvent
  | SessionClosedEvent | LogEvent | ErrorEvent | ReplyEvent;

export interface Command {
  command: string;
  [argument: string]: unknown;
}

/** What `status` answers. */
export interface Status extends Published {
  connections: number;
  sessions: Session[];
  counters: Record<string, number>;
  closed: SessionEnd[];
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
  /** Stops it; resolved when it has stopped. */
  stop(): Promise<void>;
  /** The exit code; never rejected. */
  exited: Promise<number>;
}

/** From the page to its worker. */
export type ToWorker =
  | { type: 'start'; options: ApplianceOptions }
  | { type: 'command'; id: number; command: Command }
  | { type: 'stop' };

/** From the worker to its page: one 'events' message per batch. */
export type FromWorker =
  | { type: 'events'; events: ApplianceEvent[] }
  | { type: 'reply'; id: number; reply: any }
  | { type: 'refused'; id: number; text: string }
  | { type: 'exited'; code: number };
