// SPDX-License-Identifier: Apache-2.0
/**
 * Reads a link, `https://host:port/path#wt=…&id=…&mirror=…`.
 * @param {string | URL} link
 * @returns {Link}
 * @throws {FortnightError} `bad-link`
 */
export function parseLink(link: string | URL): Link;
/**
 * Verifies a signed set: a JWS in the compact form (RFC 7515), ES256, by the key
 * that has the thumbprint |identity| (RFC 7638).
 * @param {unknown} jws  may be anything
 * @param {string} identity
 * @param {object} [options]
 * @param {number} [options.now]  in seconds since 1970 UTC; the clock's time
 * @param {boolean} [options.expired]  whether a set that has run out is taken
 * @returns {Promise<HashSet>}
 * @throws {FortnightError} `document-malformed`, `document-identity`,
 *     `document-signature`, `document-expired`; `unsupported` without WebCrypto
 */
export function verifyDocument(jws: unknown, identity: string, { now, expired }?: {
    now?: number | undefined;
    expired?: boolean | undefined;
}): Promise<HashSet>;
/**
 * Whether who has |old| is to take |set| instead.
 * @param {HashSet} set
 * @param {HashSet | null | undefined} old
 */
export function isNewer(set: HashSet, old: HashSet | null | undefined): boolean;
/**
 * How long to wait before attempt |n| (from 0), in ms: twice as long each time,
 * and half of it by chance, so that not all clients of a server come at once.
 * @param {number} n
 * @param {{first: number, most: number}} limits
 * @param {() => number} [random]
 */
export function backOff(n: number, { first, most }: {
    first: number;
    most: number;
}, random?: () => number): number;
/**
 * Connects to the server of |link|.  Never throws: what is wrong, with the link
 * too, rejects `ready` and `closed` with a FortnightError.
 * @param {string | URL} link
 * @param {ConnectOptions} [options]
 * @returns {FortnightTransport}
 */
export function connect(link: string | URL, options?: ConnectOptions): FortnightTransport;
/**
 * What went wrong.
 *
 * Connecting:
 * - `bad-link`: it is no link, or was cut off
 * - `unsupported`: no WebTransport here, or the page is not secure (https)
 * - `link-too-old`: every hash that is known has run out or was replaced
 * - `clock-wrong`: this device's clock
 * - `not-reachable`: nothing answers there
 * - `no-connection`: the browser does not tell; `maybe` has what it can be
 * - `permission-denied`: the browser's, for the local network
 * - `page-policy`: the page's own Content-Security-Policy
 * - `refused`: the server is there, and does not want this session
 * - `lost`: there was a session, and it broke off
 * - `closed`: close() was called
 *
 * Of a signed set (verifyDocument()):
 * - `document-malformed`, `document-identity` (somebody else's),
 *   `document-signature`, `document-expired`; `document-older` (than the one
 *   that is known, or the same); `mirror-unreachable`
 * @typedef {'bad-link'|'unsupported'|'link-too-old'|'clock-wrong'|'not-reachable'
 *   |'no-connection'|'permission-denied'|'page-policy'|'refused'|'lost'|'closed'
 *   |'document-malformed'|'document-identity'|'document-signature'
 *   |'document-expired'|'document-older'|'mirror-unreachable'} ErrorCode
 */
/** The one class of error that this module throws and rejects with. */
export class FortnightError extends Error {
    /**
     * @param {ErrorCode} code
     * @param {string} message  a sentence for a person
     * @param {{cause?: unknown, maybe?: ErrorCode[], temporary?: boolean}} [more]
     */
    constructor(code: ErrorCode, message: string, { cause, maybe, temporary }?: {
        cause?: unknown;
        maybe?: ErrorCode[];
        temporary?: boolean;
    });
    /** @type {ErrorCode} */
    code: ErrorCode;
    /** What else it may be, where nobody can know. @type {ErrorCode[]} */
    maybe: ErrorCode[];
    /** Whether trying again later can help without anybody doing anything. */
    temporary: boolean;
}
/**
 * A WebTransport as the W3C has it, which outlives a lost connection if it is
 * told to reconnect:
 *
 * - `datagrams`, `incomingBidirectionalStreams` and
 *   `incomingUnidirectionalStreams` go on with the next session; datagrams
 *   that are written in between are lost, as datagrams may be;
 * - `createBidirectionalStream()` and `createUnidirectionalStream()` wait for
 *   a session;
 * - a stream belongs to its session, and ends with it, by an error;
 * - `ready` is resolved by the first session, `closed` is settled when there
 *   will be none any more.
 *
 * Events: `statechange` (detail: `{state, error, retryIn}`; "connected" is told
 * for each session, the place to say hello), and `hashes` (detail: the HashSet)
 * when newer ones were learnt.
 */
export class FortnightTransport extends EventTarget {
    /**
     * @param {string | URL} link
     * @param {ConnectOptions} options
     */
    constructor(link: string | URL, options: ConnectOptions);
    /** The browser's own session, while there is one. @type {WebTransport | null} */
    session: WebTransport | null;
    /** @type {State} */
    state: State;
    /** @type {Promise<undefined>} */
    ready: Promise<undefined>;
    /** @type {Promise<WebTransportCloseInfo>} */
    closed: Promise<WebTransportCloseInfo>;
    /** The newest signed set, if one is known. @type {HashSet | null} */
    get hashes(): HashSet | null;
    /** The link with the newest hashes, to be handed on. */
    get link(): string;
    /** @returns {string} */
    get protocol(): string;
    /** @returns {'pending' | 'reliable-only' | 'supports-unreliable'} */
    get reliability(): "pending" | "reliable-only" | "supports-unreliable";
    /** @returns {'default' | 'throughput' | 'low-latency'} */
    get congestionControl(): "default" | "throughput" | "low-latency";
    /** @returns {Promise<any>} */
    getStats(): Promise<any>;
    /**
     * @param {WebTransportSendStreamOptions} [options]
     * @returns {Promise<WebTransportBidirectionalStream>}
     */
    createBidirectionalStream(options?: WebTransportSendStreamOptions): Promise<WebTransportBidirectionalStream>;
    /**
     * @param {WebTransportSendStreamOptions} [options]
     * @returns {Promise<WritableStream<Uint8Array>>}
     */
    createUnidirectionalStream(options?: WebTransportSendStreamOptions): Promise<WritableStream<Uint8Array>>;
    /** @returns {ReadableStream<WebTransportBidirectionalStream>} */
    get incomingBidirectionalStreams(): ReadableStream<WebTransportBidirectionalStream>;
    /** @returns {ReadableStream<ReadableStream<Uint8Array>>} */
    get incomingUnidirectionalStreams(): ReadableStream<ReadableStream<Uint8Array>>;
    /**
     * As the W3C's WebTransportDatagramDuplexStream.
     * @returns {WebTransportDatagramDuplexStream}
     */
    get datagrams(): WebTransportDatagramDuplexStream;
    /**
     * Ends it for good.
     * @param {WebTransportCloseInfo} [info]
     */
    close(info?: WebTransportCloseInfo): void;
    #private;
}
/**
 * Why one attempt failed, as far as the client tells.
 */
export type Failure = {
    cause: unknown;
    /**
     * nothing has come back
     */
    silent: boolean;
    /**
     * by the page's Content-Security-Policy
     */
    blocked: boolean;
    /**
     * the server's answer (Deno tells)
     */
    status?: number | undefined;
    /**
     * it was the certificate (Deno tells)
     */
    certificate?: boolean | undefined;
};
/**
 * What went wrong.
 *
 * Connecting:
 * - `bad-link`: it is no link, or was cut off
 * - `unsupported`: no WebTransport here, or the page is not secure (https)
 * - `link-too-old`: every hash that is known has run out or was replaced
 * - `clock-wrong`: this device's clock
 * - `not-reachable`: nothing answers there
 * - `no-connection`: the browser does not tell; `maybe` has what it can be
 * - `permission-denied`: the browser's, for the local network
 * - `page-policy`: the page's own Content-Security-Policy
 * - `refused`: the server is there, and does not want this session
 * - `lost`: there was a session, and it broke off
 * - `closed`: close() was called
 *
 * Of a signed set (verifyDocument()):
 * - `document-malformed`, `document-identity` (somebody else's),
 *   `document-signature`, `document-expired`; `document-older` (than the one
 *   that is known, or the same); `mirror-unreachable`
 */
export type ErrorCode = "bad-link" | "unsupported" | "link-too-old" | "clock-wrong" | "not-reachable" | "no-connection" | "permission-denied" | "page-policy" | "refused" | "lost" | "closed" | "document-malformed" | "document-identity" | "document-signature" | "document-expired" | "document-older" | "mirror-unreachable";
/**
 * what a link says
 */
export type Link = {
    /**
     * https://host:port/path
     */
    url: string;
    /**
     * SHA-256 in base64url
     */
    hashes: string[];
    /**
     * whose signature counts: an RFC 7638
     * thumbprint.  Without one nothing newer can be verified
     */
    identity: string | null;
    /**
     * https URL of the signed set
     */
    mirror: string | null;
};
/**
 * one certificate; times in seconds since 1970
 */
export type DocumentHash = {
    use: "active" | "standby";
    alg: "sha-256";
    hex: string;
    b64url: string;
    not_before: number;
    not_after: number;
    active_from: number;
};
/**
 * a signed set; times in seconds since 1970 UTC
 */
export type HashSet = {
    v: number;
    epoch: number;
    seq: number;
    issued_at: number;
    refresh_after: number;
    valid_until: number;
    url: string;
    /**
     * the active one, then the standby
     */
    hashes: DocumentHash[];
};
/**
 * localStorage, or what behaves so; may be
 *     asynchronous.  What it throws is ignored: then nothing is kept
 */
export type KeyValueStore = {
    getItem: (key: string) => string | null | undefined | Promise<string | null | undefined>;
    setItem: (key: string, value: string) => unknown;
};
export type Reconnect = {
    /**
     * ms until the first new attempt, about (500)
     */
    first?: number | undefined;
    /**
     * ms between two attempts, at most (30000)
     */
    most?: number | undefined;
    /**
     * attempts in a row that may fail (no limit)
     */
    tries?: number | undefined;
    /**
     * whether to
     * connect again after the server has closed the session; by default if its
     * code is 0, as when a server is restarted
     */
    after?: ((info: WebTransportCloseInfo) => boolean) | undefined;
};
export type ConnectOptions = {
    /**
     * another path of the same server, with a query if
     * there is one: "/room?name=tea"
     */
    path?: string | undefined;
    /**
     * whether to connect again when the
     * connection is lost (false)
     */
    reconnect?: boolean | Reconnect | undefined;
    /**
     * whether to learn new hashes from the server
     * while connected, over a second connection (true)
     */
    follow?: boolean | undefined;
    /**
     * where the newest set is kept; by
     * default localStorage, or this module's memory.  null: nowhere
     */
    storage?: KeyValueStore | null | undefined;
    /**
     * instead of the link's; may be
     * relative to the page.  null: none
     */
    mirror?: string | URL | null | undefined;
    /**
     * whose Date header tells the time, when
     * connecting has failed; by default the page's own address.  null: none
     */
    time?: string | URL | null | undefined;
    /**
     * ms that one attempt may take (10000; in Chromium
     * 300000, as it gives up by itself before)
     */
    timeout?: number | undefined;
    /**
     * for the WebTransport constructor
     */
    webTransport?: (Omit<WebTransportOptions, "serverCertificateHashes"> & Record<string, unknown>) | undefined;
};
export type State = "connecting" | "connected" | "reconnecting" | "closed";
