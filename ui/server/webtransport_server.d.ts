// SPDX-License-Identifier: Apache-2.0
// What webtransport_server.js offers; README.md shows how it is used.

import type { ApplianceOptions, Hash, ManagerState, Status } from './types.d.ts';

/** A Worker that runs worker.js, or a MessagePort to port.js. */
export interface Endpoint {
  postMessage(message: any, transfer?: any[]): void;
  addEventListener(type: any, listener: (event: any) => void): void;
  start?(): void;
  terminate?(): void;
  close?(): void;
}

export interface ListenOptions extends Omit<ApplianceOptions,
  'max_connections' | 'max_sessions' | 'max_handshakes'> {
  /** The paths that are served: "/chat", or "/files/*" for all that begin so;
      default: all that the appliance does not serve itself (/echo, /room …). */
  paths?: string[];
  /** In the place of a worker of its own. */
  endpoint?: Endpoint;
  /** Where the worker finds fortnight.mjs; default "/fortnight.mjs". */
  module?: string;
  maxConnections?: number;
  /** Of one connection. */
  maxSessions?: number;
  /** Handshakes that are open at once. */
  maxHandshakes?: number;
}

export interface CloseInfo {
  /** 32 bits. */
  closeCode: number;
  /** At most 1024 octets of UTF-8. */
  reason: string;
}

export interface BidirectionalStream {
  /** A readable byte stream. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<BufferSource>;
}

export interface Datagrams {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<BufferSource>;
  /** The longest that can be sent; longer ones are lost. */
  readonly maxDatagramSize: number;
  /** How many that nobody has read are kept; the oldest are dropped. */
  incomingHighWaterMark: number;
  /** How many were. */
  readonly dropped: number;
}

/** A session, in the shape that it has on the client's side. */
export interface WebTransportSession {
  /** The request's, with its query. */
  readonly path: string;
  readonly authority: string;
  /** "" if there is none: browsers always send one. */
  readonly origin: string;
  /** The client's address and port when it came. */
  readonly peer: string;
  readonly headers: Headers;
  /** What the client offers, as it likes them best. */
  readonly protocols: string[];
  /** The one that was accepted, or "". */
  readonly protocol: string;
  /** The number of this session in the events and in the stats. */
  readonly id: number;
  /** Resolved once it is accepted, rejected if it never is. */
  readonly ready: Promise<void>;
  /** Resolved when either side has closed it, rejected if the connection is
      lost. */
  readonly closed: Promise<CloseInfo>;
  /** Resolved when it should be ended soon: the client, or close() of the
      server, asks for it. */
  readonly draining: Promise<void>;
  readonly datagrams: Datagrams;
  readonly incomingBidirectionalStreams: ReadableStream<BidirectionalStream>;
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array<ArrayBuffer>>>;

  /** Lets the client in, with one of |protocols| or none.  Nobody's answer in
      10 s is 503. */
  accept(options?: { protocol?: string }): Promise<void>;
  /** Refuses it with a status of HTTP, 400 to 599; default 403. */
  reject(status?: number): void;
  /** Waits, if need be, until the client allows another stream. */
  createBidirectionalStream(): Promise<BidirectionalStream>;
  createUnidirectionalStream(): Promise<WritableStream<BufferSource>>;
  /** Asks the client to end it soon. */
  drain(): void;
  close(info?: Partial<CloseInfo>): void;
}

export interface LiveHash extends Hash {
  /** With |value| it fits into serverCertificateHashes. */
  algorithm: string;
  value: Uint8Array<ArrayBuffer>;
}

export type CertificateForm = 'link' | 'url' | 'hex' | 'openssl' | 'base64' | 'base64url' | 'certhash'
  | 'multiaddr' | 'snippet' | 'text' | 'json' | 'jws';

/** Events: "change" (the hashes and the link are others), "statechange",
    "document" (there is a new signed set). */
export interface Certificates extends EventTarget {
  readonly state: ManagerState;
  /** The live ones, the active one first. */
  readonly hashes: LiveHash[];
  /** What a page opens: address, hashes and identity in one. */
  readonly link: string | null;
  readonly url: string | null;
  /** The thumbprint of the key that signs the set. */
  readonly identity: string;
  /** The signed set of hashes, a JWS; "" if there is none. */
  readonly document: string;
  /** What is published, in that form. */
  text(form: CertificateForm): Promise<string>;
  /** The standby takes over now; refused until it is ready, unless forced. */
  rotate(options?: { force?: boolean }): Promise<void>;
  /** The active one is not to be trusted any more: its connections are closed,
      the standby takes over. */
  revoke(): Promise<void>;
}

/** Events: "log" and "refused" (a client that would not connect), CustomEvents
    with what was told as |detail|. */
export class WebTransportServer extends EventTarget {
  private constructor();

  /** Starts one; resolved once clients can connect, rejected with an
      ApplianceError whose |code| tells why they never will. */
  static listen(options?: ListenOptions): Promise<WebTransportServer>;

  /** What is listened at. */
  readonly address: string;
  readonly port: number;
  /** Clients that ask for a session, each waiting for accept() or reject(). */
  readonly sessions: ReadableStream<WebTransportSession>;
  readonly certificates: Certificates;
  /** How it is at the moment. */
  readonly stats: Promise<Status>;
  /** Resolved when it has stopped; rejected if nobody asked it to. */
  readonly closed: Promise<void>;
  /** Stops: sessions are closed, with |info| or when the seconds of |drain| are
      over; resolved when it has stopped. */
  close(info?: Partial<CloseInfo>): Promise<void>;
}
