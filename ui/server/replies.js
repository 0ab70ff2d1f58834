// SPDX-License-Identifier: Apache-2.0
/** Commands on their way, until each has its reply. */
export class Replies {
  /** @type {Map<number, {resolve: (reply: any) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #lastId = 0;

  /**
   * @param {(id: number) => void} send with the id that the reply will have
   * @returns {Promise<any>} the reply
   */
  ask(send) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      send(id);
    });
  }

  /**
   * @param {number} id one that nobody waits for is ignored, here as below
   * @param {any} reply
   */
  resolve(id, reply) {
    this.#take(id)?.resolve(reply);
  }

  /**
   * @param {number} id
   * @param {Error} why
   */
  reject(id, why) {
    this.#take(id)?.reject(why);
  }

  /** @param {Error} why there will be no reply to any of them */
  end(why) {
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }

  /** @param {number} id */
  #take(id) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
